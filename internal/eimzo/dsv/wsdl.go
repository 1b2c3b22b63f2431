package dsv

import (
	"bytes"
	_ "embed"
	"encoding/xml"
)

// wsdl describes the service (WSDL 1.1). It has one mark, where its address
// goes.
//
//go:embed pkcs7.wsdl
var wsdl []byte

const addressMark = "@ADDRESS@"

// description returns the WSDL of the service at an address.
func description(address string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(address)) // a buffer takes everything
	return bytes.Replace(wsdl, []byte(addressMark), escaped.Bytes(), 1)
}
