// Package site holds the script that a site puts on its page for ID-CARD
// E-IMZO MOBILE: hash, check sum, QR code, link and polling, in one file
// without dependencies. docs/mobile.md describes it.
//
//	mux.HandleFunc("GET /e-imzo-mobile.js", func(w http.ResponseWriter, r *http.Request) {
//		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
//		w.Write(site.Script())
//	})
package site

import (
	"bytes"
	_ "embed"
)

//go:embed e-imzo-mobile.js
var script []byte

// Script returns e-imzo-mobile.js, for sites to keep among their own files.
func Script() []byte { return bytes.Clone(script) }
