//go:build !pkcs11

package pkcs11

import (
	"errors"
	"strings"
	"testing"
)

func TestOpenTellsHowToBuild(t *testing.T) {
	p, err := Open("/usr/lib/softhsm/libsofthsm2.so", Options{})
	if p != nil || !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("%v, %v", p, err)
	}
}
