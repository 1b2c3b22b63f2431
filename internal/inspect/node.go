package inspect

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of the output: what nobody would read is counted instead of shown,
// so that a small hostile file cannot fill a screen, or a log.
const (
	// maxNodes bounds the lines of a tree.
	maxNodes = 20_000
	// maxListed bounds lists of one kind: certificates, revoked serials ...
	maxListed = 100
	// maxText bounds a value in octets; the longest name of a production
	// certificate has 400.
	maxText = 2048
	// shownBytes is up to how long octets are shown whole: a signature of
	// RSA-4096 is.
	shownBytes = 512
)

// Node is one line of the tree.
type Node struct {
	Label    string  `json:"label"`
	Value    string  `json:"value,omitempty"`
	Children []*Node `json:"children,omitempty"`
}

// add appends a line and returns it.
func (n *Node) add(label, format string, args ...any) *Node {
	c := &Node{Label: clip(label), Value: clip(fmt.Sprintf(format, args...))}
	n.Children = append(n.Children, c)
	return c
}

func (n *Node) attach(children ...*Node) *Node {
	n.Children = append(n.Children, children...)
	return n
}

// list attaches the nodes of a list of n items, but not more than maxListed.
func (n *Node) list(items int, item func(i int) *Node) {
	for i := range min(items, maxListed) {
		n.attach(item(i))
	}
	n.more(items)
}

// more tells how many items of a list are not shown.
func (n *Node) more(items int) {
	if items > maxListed {
		n.add("...", "%d more", items-maxListed)
	}
}

// bound cuts the tree after the first left nodes and returns how many it has.
func (n *Node) bound(left int) int {
	used := 1
	for i, c := range n.Children {
		if used >= left {
			n.Children = append(n.Children[:i:i], &Node{Label: "...", Value: "the rest is left out"})
			return used + 1
		}
		used += c.bound(left - used)
	}
	return used
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:end], len(s))
}

// WriteText writes the tree with two spaces of indent a level. Values pass
// [Printable].
func (n *Node) WriteText(w io.Writer) error { return n.writeText(w, 0) }

func (n *Node) writeText(w io.Writer, depth int) error {
	line := strings.Repeat("  ", depth) + Printable(n.Label)
	if n.Value != "" {
		line += ": " + Printable(n.Value)
	}
	if _, err := fmt.Fprintln(w, line); err != nil {
		return err
	}
	for _, c := range n.Children {
		if err := c.writeText(w, depth+1); err != nil {
			return err
		}
	}
	return nil
}
