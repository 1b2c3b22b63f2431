// Package token is what smart cards, USB tokens and HSMs have in common: they
// keep a private key and its certificates, ask for a PIN and sign. A program
// works with the interfaces here and gets the devices from providers:
//
//	cards := token.NewSet(log, soft.Folder("/home/ali/cards"), readers)
//	for _, t := range cards.Tokens(ctx, token.KindIDCard) {
//		session, err := t.Open(ctx, pin)
//		...
//		defer session.Close()
//		key, chain, err := session.Key(ctx)
//	}
//
// The providers are pki/token/soft (a file that behaves as a card),
// pki/token/pkcs11 (what has a PKCS#11 module) and pki/token/pcsc (the names of
// smart card readers).
//
// The package has no devices of its own, keeps no PIN and asks nobody for one.
package token
