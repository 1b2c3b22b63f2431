package server

import (
	"net/netip"
	"time"
	_ "time/tzdata" // a static binary on an empty image has no zone files

	"imzo/internal/config"
	"imzo/pki/ocsp"
)

// Keys returns the table of the keys in config.properties: those of
// E-IMZO-SERVER, and our own.
func Keys() config.Table {
	const (
		noVPN    = "nothing goes through the VPN: OCSP and timestamps are asked at ocsp.url and tsp.url or at the addresses in the certificates"
		noJKS    = "trust comes from trust.pem.file.path; write the roots there, as keytool -list -rfc -keystore FILE prints them"
		noRedis  = "challenges are kept in this process, so run one server only and set cache.type=local"
		noMobile = "the mobile endpoints do not exist; remove the key"
		noTunnel = "there is no tunnel; remove it or set tunnel.enabled=no"
		fixedTTL = "a challenge lives for the 120 seconds that its reply names"
		noTuning = "there is nothing to tune, remove it"
		noMeter  = "there are no metrics yet"
	)
	const port, most = 65535, 1<<31 - 1
	return config.Table{
		{Name: "listen.ip", Kind: config.IP, Default: "0.0.0.0", Doc: "Address to listen on; 0.0.0.0 and :: are all of the machine's."},
		{Name: "listen.port", Kind: config.Int, Default: "8080", Max: port, Doc: "TCP port to listen on; 0 takes a free one."},
		{Name: "trust.pem.file.path", Kind: config.Path, Doc: "Trusted root certificates as PEM."},
		{Name: "ocsp.url", Kind: config.URL, Doc: "OCSP responder to ask instead of the ones that certificates name."},
		{Name: "ocsp.nonce", Kind: config.Enum, Values: []string{"require", "if-present", "off"}, Default: "require", Doc: "Whether an OCSP answer must repeat the nonce of the question."},
		{Name: "tsp.url", Kind: config.URL, Doc: "Timestamp authority to ask instead of the ones that certificates name."},
		{Name: "time.zone", Kind: config.TimeZone, Default: "Asia/Tashkent", Doc: "Zone of all dates in replies."},
		{Name: "auth.service.valid.minutes.window", Kind: config.Int, Default: "10", Min: 1, Max: most, Doc: "How many minutes the signingTime of an answer to a challenge may differ from the server's clock."},
		{Name: "revocation.strict", Kind: config.Bool, Default: "no", Doc: "Whether a certificate revoked after the timestamp makes the signature invalid."},
		{Name: "cache.type", Kind: config.Enum, Values: []string{"local", "redis"}, Default: "local", Refused: []string{"redis"}, Doc: "Where challenges are kept."},

		{Name: "cache.local.key.ttl.seconds", Kind: config.Int, Min: 1, Max: most, Unsupported: fixedTTL, Doc: "Lifetime of entries of the local cache."},
		{Name: "cache.local.clear.interval.seconds", Kind: config.Int, Min: 1, Max: most, Unsupported: noTuning, Doc: "How often the local cache is swept."},
		{Name: "cache.redis.host", Kind: config.String, Unsupported: noRedis, Doc: "Host of the Redis server with the challenges."},
		{Name: "cache.redis.port", Kind: config.Int, Min: 1, Max: port, Unsupported: noRedis, Doc: "Port of that Redis server."},
		{Name: "cache.redis.connect.timeout.ms", Kind: config.Int, Max: most, Unsupported: noRedis, Doc: "Time to connect to Redis."},
		{Name: "cache.redis.so.timeout.ms", Kind: config.Int, Max: most, Unsupported: noRedis, Doc: "Time for an answer of Redis."},
		{Name: "cache.redis.password", Kind: config.String, Secret: true, Unsupported: noRedis, Doc: "Password of Redis."},
		{Name: "cache.redis.db", Kind: config.Int, Max: most, Unsupported: noRedis, Doc: "Number of the Redis database."},

		{Name: "vpn.tls.enabled", Kind: config.Bool, Unsupported: noVPN, Doc: "Whether the VPN speaks TLS."},
		{Name: "vpn.connect.host", Kind: config.String, Unsupported: noVPN, Doc: "VPN server."},
		{Name: "vpn.connect.port", Kind: config.Int, Min: 1, Max: port, Unsupported: noVPN, Doc: "Port of the VPN server."},
		{Name: "vpn.key.file.path", Kind: config.Path, Unsupported: noVPN, Doc: "Key of the customer for the VPN."},
		{Name: "vpn.key.password", Kind: config.String, Secret: true, Unsupported: noVPN, Doc: "Password of that key."},
		{Name: "vpn.truststore.file.path", Kind: config.Path, Unsupported: noVPN, Doc: "Trust store with the CA of the VPN."},
		{Name: "vpn.truststore.password", Kind: config.String, Secret: true, Unsupported: noVPN, Doc: "Password of that trust store."},
		{Name: "vpn.keepalive.time.sec", Kind: config.Int, Max: most, Unsupported: noVPN, Doc: "Keep-alive of the VPN."},
		{Name: "vpn.keepalive.timeout.sec", Kind: config.Int, Max: most, Unsupported: noVPN, Doc: "Time-out of that keep-alive."},

		{Name: "tsp.jks.file.path", Kind: config.Path, Unsupported: noJKS, Doc: "Trust store with the root certificates."},
		{Name: "tsp.jks.file.password", Kind: config.String, Secret: true, Unsupported: noJKS, Doc: "Password of that trust store."},

		{Name: "scheduler.fixed.threads.count", Kind: config.Int, Max: most, Unsupported: noTuning, Doc: "Number of worker threads."},
		{Name: "metrics.server.enabled", Kind: config.Bool, Unsupported: noMeter, Doc: "Whether metrics are served."},
		{Name: "metrics.server.listen.ip", Kind: config.IP, Unsupported: noMeter, Doc: "Address of the metrics."},
		{Name: "metrics.server.listen.port", Kind: config.Int, Max: port, Unsupported: noMeter, Doc: "Port of the metrics."},

		{Name: "mobile.siteId", Kind: config.String, Unsupported: noMobile, Refused: []string{"*"}, Doc: "Number of the site at the Centre; turns the mobile endpoints on."},
		{Name: "mobile.storage.redis.host", Kind: config.String, Unsupported: noMobile, Doc: "Host of the Redis server with the mobile records."},
		{Name: "mobile.storage.redis.port", Kind: config.Int, Min: 1, Max: port, Unsupported: noMobile, Doc: "Port of that Redis server."},
		{Name: "mobile.storage.redis.password", Kind: config.String, Secret: true, Unsupported: noMobile, Doc: "Password of that Redis server."},
		{Name: "mobile.storage.redis.db", Kind: config.Int, Max: most, Unsupported: noMobile, Doc: "Number of that Redis database."},

		{Name: "tunnel.enabled", Kind: config.Bool, Unsupported: noTunnel, Refused: []string{"yes"}, Doc: "Whether the tunnel is served."},
		{Name: "tunnel.listen.ip", Kind: config.IP, Unsupported: noTunnel, Doc: "Address of the tunnel."},
		{Name: "tunnel.listen.port", Kind: config.Int, Max: port, Unsupported: noTunnel, Doc: "Port of the tunnel."},
		{Name: "tunnel.servers.dir", Kind: config.Path, Unsupported: noTunnel, Doc: "Folder of the keys and certificates of domains."},
		{Name: "tunnel.truststore.file", Kind: config.Path, Unsupported: noTunnel, Doc: "Trust store of the tunnel."},
		{Name: "tunnel.truststore.password", Kind: config.String, Secret: true, Unsupported: noTunnel, Doc: "Password of that trust store."},
		{Name: "tunnel.destination.N.host", Kind: config.String, Unsupported: noTunnel, Doc: "Where the tunnel with dst_id N ends."},
		{Name: "tunnel.destination.N.port", Kind: config.Int, Min: 1, Max: port, Unsupported: noTunnel, Doc: "Port of that destination."},
	}
}

// Config is what a config.properties says. The zero value lacks a zone and a
// window: begin with [DefaultConfig].
type Config struct {
	Listen netip.AddrPort
	// TrustPEMFile holds the trusted roots; "" when the file names none.
	TrustPEMFile string
	// OCSPURL and TSPURL replace the addresses in certificates unless "".
	OCSPURL, TSPURL string
	OCSPNonce       ocsp.NoncePolicy
	// Location is the zone of all dates in replies.
	Location *time.Location
	// AuthWindow is how far the signingTime of an answer to a challenge may
	// lie from the clock, to either side.
	AuthWindow time.Duration
	// StrictRevocation makes a revocation after the timestamp count.
	StrictRevocation bool
}

// DefaultConfig returns the configuration of an empty file.
func DefaultConfig() Config {
	f, err := config.Parse("", nil)
	if err != nil {
		panic(err) // nothing in it
	}
	c, _, err := ParseConfig(f)
	if err != nil {
		panic(err) // a default that its own table refuses
	}
	return c
}

// LoadConfig reads the config.properties at path. The warnings are for the
// log, a line each. A file that the configuration names is looked for beside it,
// and if it is not there in the working directory, as the original does.
func LoadConfig(path string) (c Config, warnings []string, err error) {
	f, err := config.Load(path)
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err = ParseConfig(f)
	c.TrustPEMFile = findFile(c.TrustPEMFile, path)
	return c, warnings, err
}

// ParseConfig checks a file and takes from it what there is to know.
func ParseConfig(f *config.File) (c Config, warnings []string, err error) {
	v, warnings, err := Keys().Check(f)
	if err != nil {
		return Config{}, warnings, err
	}
	return Config{
		Listen:       netip.AddrPortFrom(v.Addr("listen.ip"), uint16(v.Int("listen.port"))),
		TrustPEMFile: v.String("trust.pem.file.path"),
		OCSPURL:      v.String("ocsp.url"),
		TSPURL:       v.String("tsp.url"),
		OCSPNonce: map[string]ocsp.NoncePolicy{
			"require":    ocsp.NonceRequired,
			"if-present": ocsp.NonceIfPresent,
			"off":        ocsp.NonceIgnored,
		}[v.String("ocsp.nonce")],
		Location:         v.Location("time.zone"),
		AuthWindow:       time.Duration(v.Int("auth.service.valid.minutes.window")) * time.Minute,
		StrictRevocation: v.Bool("revocation.strict"),
	}, warnings, nil
}
