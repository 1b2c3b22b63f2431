//go:build !pkcs11

package pkcs11

import "imzo/pki/token"

// Open returns [ErrNotBuilt].
func Open(string, Options) (token.Provider, error) { return nil, ErrNotBuilt }
