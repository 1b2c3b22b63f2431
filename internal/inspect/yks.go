package inspect

import (
	"fmt"

	"imzo/pki/keystore"
)

// describeYKS describes a YKS file, which is no ASN.1: aliases and
// certificates are in the clear, the keys take the password.
func describeYKS(data []byte, password string) (*Node, error) {
	n := &Node{Label: "key file (YKS, YTKS-2)"}
	items, err := keystore.ListYKS(data)
	if err != nil {
		n.add("not read", "%v", err)
		return n, nil
	}
	if password == "" {
		n.list(len(items), func(i int) *Node {
			item := &Node{Label: fmt.Sprintf("key %d", i+1)}
			item.add("alias", "%s", items[i].Alias)
			if made := items[i].Created; !made.IsZero() {
				item.add("created", "%s", when(made))
			}
			item.list(len(items[i].Chain), func(j int) *Node {
				return certificateNode(fmt.Sprintf("certificate %d", j+1), items[i].Chain[j])
			})
			return item
		})
		n.add("opened", "no: keys take the password, and nothing proves that the file is as it was written")
		return n, nil
	}
	entries, err := keystore.OpenYKS(data, password)
	if isPasswordError(err) {
		return nil, err
	}
	if err != nil {
		n.add("not opened", "%v", err)
		return n, nil
	}
	n.list(len(entries), func(i int) *Node { return entryNode(fmt.Sprintf("key %d", i+1), entries[i]) })
	return n, nil
}
