package inspect

import (
	"errors"
	"strings"
	"testing"

	"imzo/pki/keystore"
)

func TestYKSFilesThatDoNotOpenSaySo(t *testing.T) {
	data := read(t, "key.yks")
	if n, err := Describe(data, "another"); !errors.Is(err, keystore.ErrPassword) {
		t.Errorf("another password: %v, %v", n, err)
	}
	n, err := Describe(data[:len(data)/2], testPassword)
	if err != nil || !strings.Contains(text(t, n), "not read: malformed key file") {
		t.Errorf("half a file: %v, %v", n, err)
	}
}
