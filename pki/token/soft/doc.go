// Package soft has tokens in software: a file that behaves as an ID card or
// USB token does, with a PIN, a counter of tries, a PUK and certificates. It is
// for tests, for demonstrations and for those who have no reader:
//
//	card, err := soft.Create("ali.card", soft.Options{
//		Kind: token.KindIDCard, Name: "Ali", PIN: []byte("1234"), PUK: []byte("12345678"),
//	})
//	session, err := card.Open(ctx, []byte("1234"))
//	key, err := session.GenerateKey(ctx, "") // then a certificate for it
//	err = session.Personalize(ctx, chain, []byte("1234"))
//
// Keys are of O'z DSt 1092:2009 and O'z MSt 286:2024, type 2. Those of ID
// cards are on curve C alone, as paramSetOID of real ones tells.
//
// # Tries
//
// The try is written and synced before the PIN is looked at, and given back
// after it proved right: who kills the program in between loses a try and wins
// none. Programs that use one card at once wait for each other by a lock on the
// file beside it, ali.card.lock. After [Options].MaxTries wrong PINs in a row
// the card takes none until [Card.Unblock]; after ten wrong PUKs it is dead.
//
// # What a card in software does not give
//
// A real card cannot be copied, and counts for itself. A copy of this file
// gives whoever has it tries without end and at leisure, at the price of one
// Argon2id each (64 MiB of memory, some 0.1 s): a PIN of four digits lasts
// minutes, one of eight digits months on one machine. An older copy has the
// older PIN and fresh counters, and what its PIN opens opens later copies of
// the same card too. The key is in the memory of the process while a session is
// open. Where this matters, use a real card or a key file with a long password.
//
// Keys and PINs are wiped where the program can reach them; the working memory
// of Argon2id and the key schedule of AES it cannot.
//
// # File
//
// JSON of at most 256 KiB, see card in file.go. A random card key is sealed by
// AES-256-GCM under a key that Argon2id (RFC 9106) derives from the PIN, and
// again under one from the PUK; private keys are sealed under the card key.
// Certificates, public keys and counters stand in the clear. No digest of the
// PIN is kept: it is right when the card key opens.
//
// CPLC is not supported: how real cards encrypt and sign it is not public.
package soft
