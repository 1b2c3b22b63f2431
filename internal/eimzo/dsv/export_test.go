package dsv

// Helpers for the tests against a real server, which imports this package.
var (
	Post     = post
	Cut      = cut
	Envelope = envelope
)
