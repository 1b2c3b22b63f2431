// Package gateway is the server of E-IMZO TUNNEL: it takes the connections of
// agents, proves to them to be a domain's, finds out who they are, and joins
// each to one of the destinations behind it.
//
//	domains, warnings, err := gateway.ReadDomains("tunnel/servers", "", time.Now())
//	g, err := gateway.New(gateway.Options{Revocation: source}, gateway.State{
//		Domains: domains, Anchors: anchors, Destinations: map[uint8]string{0: "192.168.1.11:8080"},
//	})
//	go g.Serve(listener)
//	...
//	g.Shutdown(ctx)
//
// The protocol is that of package tunnel; the gateway sees what goes through a
// tunnel and keeps nothing of it, in no log either. docs/tunnel.md is for who
// runs it.
package gateway
