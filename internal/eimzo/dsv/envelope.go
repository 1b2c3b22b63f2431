package dsv

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// soapNamespace is that of SOAP 1.1 (section 3).
	soapNamespace = "http://schemas.xmlsoap.org/soap/envelope/"
	// serviceNamespace is that of the operations and the WSDL.
	serviceNamespace = "http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/"
)

// The largest call in use has nine elements in four levels. These leave room
// for headers that tools add, and none for making the parser work.
const (
	maxMarkup = 8 << 10 // octets of one tag with its attributes, or of a comment
	maxTags   = 256
	maxDepth  = 16
)

// fault is a call that gets a SOAP fault (SOAP 1.1, section 4.4).
type fault struct {
	code string // Client, Server, VersionMismatch or MustUnderstand
	text string
}

func (f *fault) Error() string { return f.text }

func clientFaultf(format string, args ...any) error {
	return &fault{"Client", fmt.Sprintf(format, args...)}
}

// call is what an envelope asks for.
type call struct {
	operation string
	arguments map[string]string
}

// readCall reads an envelope. All errors are faults.
func readCall(body []byte) (call, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if err := checkMarkup(body); err != nil {
		return call{}, err
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = asciiReader
	c, err := (&envelopeReader{decoder: d}).read()
	var f *fault
	if err != nil && !errors.As(err, &f) {
		return call{}, clientFaultf("the request is no XML: %s", clip(err.Error()))
	}
	return c, err
}

// checkMarkup bounds what a parser has to do for a text: the number of tags
// and the length of each, which bounds attributes and namespaces. It and
// encoding/xml agree on where markup begins and ends, and it refuses what it
// does not know.
func checkMarkup(text []byte) error {
	for tags := 0; ; {
		start := bytes.IndexByte(text, '<')
		if start < 0 {
			return nil
		}
		text = text[start:]
		if tags++; tags > maxTags {
			return clientFaultf("the request has more than %d tags", maxTags)
		}
		head := text[:min(len(text), maxMarkup)]
		length := 0
		switch {
		case bytes.HasPrefix(text, []byte("<![CDATA[")):
			// It may hold a whole document.
			if length = end(text, len("<![CDATA["), "]]>"); length < 0 {
				return clientFaultf("the request ends within CDATA")
			}
		case bytes.HasPrefix(text, []byte("<!--")):
			length = end(head, len("<!--"), "-->")
		case bytes.HasPrefix(text, []byte("<!")):
			return clientFaultf("the request has a document type, which SOAP does not allow")
		case bytes.HasPrefix(text, []byte("<?")):
			length = end(head, len("<?"), "?>")
		default:
			length = tagEnd(head)
		}
		if length < 0 {
			return clientFaultf("the request has a tag that does not end within %d octets", maxMarkup)
		}
		text = text[length:]
	}
}

// end returns the length of text up to and including mark, which is looked for
// behind skip octets; -1 when there is none.
func end(text []byte, skip int, mark string) int {
	i := bytes.Index(text[skip:], []byte(mark))
	if i < 0 {
		return -1
	}
	return skip + i + len(mark)
}

// tagEnd returns the length of the tag that text begins with. '>' may stand in
// the value of an attribute.
func tagEnd(text []byte) int {
	var quote byte
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		case c == '<' && i > 0:
			return -1
		}
	}
	return -1
}

// asciiReader reads encodings that have ASCII as their half. Nothing in a call
// has a meaning outside of ASCII; other characters become '?', which no base64
// has.
func asciiReader(charset string, input io.Reader) (io.Reader, error) {
	switch name := strings.ToLower(charset); {
	case name == "us-ascii", strings.HasPrefix(name, "iso-8859-"), strings.HasPrefix(name, "windows-125"):
		return asciiOnly{input}, nil
	}
	return nil, clientFaultf("the request is in the encoding %q: send UTF-8", clip(charset))
}

type asciiOnly struct{ io.Reader }

func (r asciiOnly) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	for i, c := range p[:n] {
		if c >= 0x80 {
			p[i] = '?'
		}
	}
	return n, err
}

type envelopeReader struct {
	decoder *xml.Decoder
	depth   int
}

// token returns the next token and keeps count of the depth.
func (r *envelopeReader) token() (xml.Token, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case xml.StartElement:
		if r.depth++; r.depth > maxDepth {
			return nil, clientFaultf("the elements of the request lie deeper than %d", maxDepth)
		}
	case xml.EndElement:
		r.depth--
	case xml.ProcInst:
		if t.Target != "xml" {
			return nil, clientFaultf("the request has a processing instruction, which SOAP does not allow")
		}
	}
	return token, nil
}

// next returns the next start or end of an element; nothing but space and
// comments may stand before it.
func (r *envelopeReader) next() (xml.Token, error) {
	for {
		token, err := r.token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return token, nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, clientFaultf("the request has text where there should be elements")
			}
		}
	}
}

// skip passes over what is left of the element that has just begun.
func (r *envelopeReader) skip() error {
	for inside := r.depth; r.depth >= inside; {
		if _, err := r.token(); err != nil {
			return err
		}
	}
	return nil
}

// text returns the text of the element that has just begun, and has no others
// inside.
func (r *envelopeReader) text(name string) (string, error) {
	var out strings.Builder
	for {
		token, err := r.token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			out.Write(t)
		case xml.EndElement:
			return out.String(), nil
		case xml.StartElement:
			return "", clientFaultf("the argument %q is not text", clip(name))
		}
	}
}

// read reads the whole envelope (SOAP 1.1, section 4).
func (r *envelopeReader) read() (call, error) {
	token, err := r.next()
	if err != nil {
		return call{}, err
	}
	root, _ := token.(xml.StartElement)
	switch {
	case root.Name.Local != "Envelope":
		return call{}, clientFaultf("the request is no SOAP envelope")
	case root.Name.Space != soapNamespace:
		return call{}, &fault{"VersionMismatch", "the envelope is not of SOAP 1.1"}
	}
	part, err := r.next()
	if err == nil && isSOAP(part, "Header") {
		if err = r.header(); err == nil {
			part, err = r.next()
		}
	}
	if err != nil {
		return call{}, err
	}
	if !isSOAP(part, "Body") {
		return call{}, clientFaultf("the envelope has no body")
	}
	c, err := r.body()
	if err != nil {
		return call{}, err
	}
	return c, r.rest()
}

func isSOAP(token xml.Token, name string) bool {
	start, ok := token.(xml.StartElement)
	return ok && start.Name == xml.Name{Space: soapNamespace, Local: name}
}

// header passes over header entries, but not over those that the sender wants
// to be understood or refused (SOAP 1.1, section 4.2.3).
func (r *envelopeReader) header() error {
	for {
		token, err := r.next()
		if err != nil {
			return err
		}
		entry, ok := token.(xml.StartElement)
		if !ok {
			return nil
		}
		for _, a := range entry.Attr {
			if a.Name == (xml.Name{Space: soapNamespace, Local: "mustUnderstand"}) && strings.TrimSpace(a.Value) != "0" {
				return &fault{"MustUnderstand", fmt.Sprintf("the header %q is not understood here", clip(entry.Name.Local))}
			}
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
}

// body reads the one operation of a body, whose arguments are unqualified;
// those that a client put into the namespace of the service or of the envelope
// are taken for what they are meant to be.
func (r *envelopeReader) body() (call, error) {
	token, err := r.next()
	if err != nil {
		return call{}, err
	}
	operation, ok := token.(xml.StartElement)
	if !ok {
		return call{}, clientFaultf("the body is empty")
	}
	if operation.Name.Space != serviceNamespace {
		return call{}, noOperation(operation.Name)
	}
	c := call{operation: operation.Name.Local, arguments: map[string]string{}}
	for {
		token, err := r.next()
		if err != nil {
			return call{}, err
		}
		argument, ok := token.(xml.StartElement)
		if !ok {
			return c, nil
		}
		name := argument.Name.Local
		if _, again := c.arguments[name]; again {
			return call{}, clientFaultf("the argument %q is there twice", clip(name))
		}
		if c.arguments[name], err = r.text(name); err != nil {
			return call{}, err
		}
	}
}

// noOperation says so as the original's SOAP library does.
func noOperation(name xml.Name) error {
	return clientFaultf("Cannot find dispatch method for {%s}%s", clip(name.Space), clip(name.Local))
}

// rest makes sure that nothing comes behind the operation.
func (r *envelopeReader) rest() error {
	for range 2 { // of body and envelope
		token, err := r.next()
		if err != nil {
			return err
		}
		if _, ok := token.(xml.StartElement); ok {
			return clientFaultf("the request has more than one operation")
		}
	}
	_, err := r.next()
	if err == io.EOF {
		return nil
	}
	if err == nil {
		err = clientFaultf("the request goes on after the envelope")
	}
	return err
}

// clip bounds what of a request comes into an answer.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "?")
}
