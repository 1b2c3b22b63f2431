// Package tunnel is both ends of the E-IMZO tunnel: a stream between the agent
// on a user's computer and the server, authenticated by the certificates of
// the user and of the domain, and encrypted with GOST 28147-89.
//
// docs/tunnel-protocol.md has the protocol and why it is as it is.
package tunnel
