// Package ber reads BER and writes DER (ITU-T X.690), within limits.
//
// It is the only package that knows tags and lengths. [Parse] walks the whole
// tree of an input once, without recursion, and refuses what is too deep, too
// fragmented or cut short; everything read afterwards is a view of the input:
// nothing that may have been signed is ever copied or re-encoded on the way
// in.
//
//	root, err := ber.Parse(der)
//	if err != nil { ... }
//	r := root.Children()
//	version, err := r.Read(ber.TagInteger)
//
// Reading is tolerant where documents of production systems are: indefinite
// and non-minimal lengths, constructed strings, and BOOLEAN TRUE as any
// non-zero octet. It is strict everywhere else: no trailing octets, no
// reserved tags, minimal INTEGERs and object identifiers.
//
// The package has no schema compiler and no reflection; structures are read
// and written by hand in the packages that own them.
package ber
