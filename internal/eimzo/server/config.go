package server

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a static binary on an empty image has no zone files

	"imzo/internal/config"
	"imzo/internal/i18n"
	"imzo/pki/ber"
	"imzo/pki/ocsp"
)

// Config is what a config.properties says; docs/config.md lists its keys. The
// zero value lacks a zone, a window and limits: begin with [DefaultConfig].
type Config struct {
	// Listen is the address for all, Backend the one for /backend and the
	// administrator's tools; when Backend is not valid, Listen serves those
	// too.
	Listen, Backend netip.AddrPort
	// BackendToken is asked of callers of /backend unless it is empty.
	BackendToken config.Secret
	// TLSCertificateFile and TLSKeyFile make both addresses speak HTTPS.
	TLSCertificateFile, TLSKeyFile string
	TrustedProxies                 []netip.Prefix
	CORSOrigins                    []string

	// TrustStoreFile (JKS, PKCS#12 or PEM) and TrustPEMFile hold the trusted
	// roots; "" when the file names none.
	TrustStoreFile     string
	TrustStorePassword config.Secret
	TrustPEMFile       string
	// AllowedPolicies and AllowedCAs restrict whose certificates count; empty
	// lists restrict nothing. A CA is named by its serial number or SHA-256
	// fingerprint in lower-case hex.
	AllowedPolicies, AllowedCAs []string
	// StrictRevocation makes a revocation after the timestamp count,
	// CheckCARevocation the status of the CAs between signer and root.
	StrictRevocation, CheckCARevocation bool
	// AuthWindow is how far the signingTime of an answer to a challenge may
	// lie from the clock, to either side.
	AuthWindow time.Duration
	// Location is the zone of all dates in replies.
	Location *time.Location
	// Language is that of messages when a request asks for none we have.
	Language i18n.Language

	// OCSPURLs and TSPURLs replace the addresses in certificates unless empty.
	OCSPURLs, TSPURLs []string
	OCSPNonce         ocsp.NoncePolicy
	// OCSPCache is how long an answer is used at most; 0 asks every time.
	OCSPCache time.Duration
	// CRLFallback lets CRLs decide when OCSP does not; CRLURLs replace the
	// addresses in certificates.
	CRLFallback bool
	CRLURLs     []string

	Link   LinkConfig
	Cache  CacheConfig
	Mobile MobileConfig
	Limits LimitsConfig
	Tunnel TunnelConfig

	LogLevel slog.Level
	LogJSON  bool
	// Metrics is the address of the metrics' own port, if it has one.
	Metrics netip.AddrPort
	// DSV turns the SOAP interface on.
	DSV bool
}

// LinkConfig is the link to the trust services (vpn.*).
type LinkConfig struct {
	TLS                    bool
	Host                   string
	Port                   int
	KeyFile                string
	KeyPassword            config.Secret
	TrustStoreFile         string
	TrustStorePassword     config.Secret
	KeepAlive, KeepTimeout time.Duration
}

// Enabled tells whether there is a link: it has somewhere to go, and a key or
// no need of one.
func (l LinkConfig) Enabled() bool { return l.Host != "" && (l.KeyFile != "" || !l.TLS) }

// CacheConfig is where challenges are kept (cache.*).
type CacheConfig struct {
	Redis    bool
	LocalTTL time.Duration
	RedisConfig
}

// RedisConfig is where a Redis is, and how to talk to it (*.redis.*).
type RedisConfig struct {
	Addresses                []string // host:port
	Username                 string
	Password                 config.Secret
	DB                       int
	Prefix                   string
	Master                   string
	SentinelPassword         config.Secret
	Cluster, TLS             bool
	TLSCAFile                string
	ConnectTimeout, Deadline time.Duration
}

// MobileConfig is about signatures by phone (mobile.*).
type MobileConfig struct {
	// SiteID is "" when the endpoints are not served.
	SiteID string
	// Shared tells that documents are kept in Redis.
	Shared bool
	Redis  RedisConfig
	// Lifetime is how long a document waits for its signature.
	Lifetime time.Duration
	// UploadFrom is who may upload; empty is everybody.
	UploadFrom []netip.Prefix
}

// TunnelConfig is E-IMZO TUNNEL (tunnel.*).
type TunnelConfig struct {
	// Listen is not valid when the tunnel is not served.
	Listen netip.AddrPort
	// ServersDir has the keys of domains, with ServersPassword for those that
	// have none beside them.
	ServersDir      string
	ServersPassword config.Secret
	// TrustStoreFile is "" when users are trusted as in the rest of the server.
	TrustStoreFile     string
	TrustStorePassword config.Secret
	// Destinations are host:port by dst_id.
	Destinations map[uint8]string
	Idle, Drain  time.Duration
	// Total and PerAddress bound the tunnels that are open; PerAddress 0 is
	// without limit.
	Total, PerAddress int
}

// LimitsConfig bounds what requests may cost (limits.*). Sizes are octets.
type LimitsConfig struct {
	Body, Multipart, Memory int64
	Connections             int
	// Workers is how many verifications compute at the same time; 0 is one
	// for each processor, and two at least.
	Workers int
	// These are for one address; 0 is without limit.
	ChallengesPerMinute, AuthsPerMinute, MobilesPerMinute int
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

// LoadConfig reads the config.properties at path, and environ over it, which
// is what os.Environ returns. The warnings are for the log, a line each. A
// file that the configuration names is looked for beside it, and if it is not
// there in the working directory, as the original does.
func LoadConfig(path string, environ []string) (c Config, warnings []string, err error) {
	f, err := config.Load(path)
	if err != nil {
		return Config{}, nil, err
	}
	f, warnings = f.Override(environ, EnvironmentPrefix, Keys())
	c, more, err := ParseConfig(f)
	warnings = append(warnings, more...)
	for _, file := range []*string{
		&c.TrustPEMFile, &c.TrustStoreFile, &c.TLSCertificateFile, &c.TLSKeyFile, &c.Link.KeyFile, &c.Link.TrustStoreFile, &c.Cache.TLSCAFile, &c.Mobile.Redis.TLSCAFile,
		&c.Tunnel.ServersDir, &c.Tunnel.TrustStoreFile,
	} {
		*file = findFile(*file, path)
	}
	return c, warnings, err
}

// ParseConfig checks a file and takes from it what there is to know.
func ParseConfig(f *config.File) (c Config, warnings []string, err error) {
	v, warnings, err := Keys().Check(f)
	if err != nil {
		return Config{}, warnings, err
	}
	seconds := func(key string) time.Duration { return time.Duration(v.Int(key)) * time.Second }
	address := func(ip, port string) netip.AddrPort { return netip.AddrPortFrom(v.Addr(ip), uint16(v.Int(port))) }
	c = Config{
		Listen:             address("listen.ip", "listen.port"),
		BackendToken:       v.Secret("backend.token"),
		TLSCertificateFile: v.String("tls.certificate.file.path"),
		TLSKeyFile:         v.String("tls.key.file.path"),
		TrustedProxies:     v.Networks("proxy.trusted"),
		CORSOrigins:        v.Strings("frontend.cors.origins"),

		TrustStoreFile:     v.String("tsp.jks.file.path"),
		TrustStorePassword: v.Secret("tsp.jks.file.password"),
		TrustPEMFile:       v.String("trust.pem.file.path"),
		AllowedPolicies:    v.Strings("policy.allowed"),
		AllowedCAs:         v.Strings("ca.allowed"),
		StrictRevocation:   v.Bool("revocation.strict"),
		CheckCARevocation:  v.Bool("revocation.ca"),
		AuthWindow:         time.Duration(v.Int("auth.service.valid.minutes.window")) * time.Minute,
		Location:           v.Location("time.zone"),
		Language:           i18n.Language(v.String("message.language")),

		OCSPURLs: v.Strings("ocsp.url"),
		TSPURLs:  v.Strings("tsp.url"),
		OCSPNonce: map[string]ocsp.NoncePolicy{
			"require":    ocsp.NonceRequired,
			"if-present": ocsp.NonceIfPresent,
			"off":        ocsp.NonceIgnored,
		}[v.String("ocsp.nonce")],
		OCSPCache:   seconds("ocsp.cache.seconds"),
		CRLFallback: v.Bool("crl.fallback"),
		CRLURLs:     v.Strings("crl.url"),

		Link: LinkConfig{
			TLS:                v.Bool("vpn.tls.enabled"),
			Host:               strings.TrimSpace(v.String("vpn.connect.host")),
			Port:               int(v.Int("vpn.connect.port")),
			KeyFile:            v.String("vpn.key.file.path"),
			KeyPassword:        v.Secret("vpn.key.password"),
			TrustStoreFile:     v.String("vpn.truststore.file.path"),
			TrustStorePassword: v.Secret("vpn.truststore.password"),
			KeepAlive:          seconds("vpn.keepalive.time.sec"),
			KeepTimeout:        seconds("vpn.keepalive.timeout.sec"),
		},
		Cache: CacheConfig{
			Redis:       v.String("cache.type") == "redis",
			LocalTTL:    seconds("cache.local.key.ttl.seconds"),
			RedisConfig: redisConfig(v, "cache.redis."),
		},
		Mobile: MobileConfig{
			SiteID:     strings.TrimSpace(v.String("mobile.siteId")),
			Shared:     v.Has("mobile.storage.redis.host") || v.Has("mobile.storage.redis.addresses"),
			Redis:      redisConfig(v, "mobile.storage.redis."),
			Lifetime:   seconds("mobile.document.ttl.seconds"),
			UploadFrom: v.Networks("mobile.upload.from"),
		},
		Limits: LimitsConfig{
			Body:                v.Int("limits.body.bytes"),
			Multipart:           v.Int("limits.multipart.bytes"),
			Memory:              v.Int("limits.memory.bytes"),
			Connections:         int(v.Int("limits.connections")),
			Workers:             int(v.Int("limits.workers")),
			ChallengesPerMinute: int(v.Int("limits.challenge.per.minute")),
			AuthsPerMinute:      int(v.Int("limits.auth.per.minute")),
			MobilesPerMinute:    int(v.Int("limits.mobile.per.minute")),
		},
		Tunnel: TunnelConfig{
			ServersDir:         v.String("tunnel.servers.dir"),
			ServersPassword:    v.Secret("tunnel.servers.password"),
			TrustStoreFile:     v.String("tunnel.truststore.file"),
			TrustStorePassword: v.Secret("tunnel.truststore.password"),
			Idle:               seconds("tunnel.idle.seconds"),
			Drain:              seconds("tunnel.drain.seconds"),
			Total:              int(v.Int("tunnel.limit.total")),
			PerAddress:         int(v.Int("tunnel.limit.address")),
		},

		LogJSON: v.String("log.format") == "json",
		DSV:     v.Bool("dsv.enabled"),
	}
	if err := c.LogLevel.UnmarshalText([]byte(v.String("log.level"))); err != nil {
		panic(err) // the table allows levels only
	}
	if v.Has("backend.listen.port") || v.Has("backend.listen.ip") {
		c.Backend = address("backend.listen.ip", "backend.listen.port")
	}
	if v.Bool("metrics.server.enabled") {
		c.Metrics = address("metrics.server.listen.ip", "metrics.server.listen.port")
	}
	if v.Bool("tunnel.enabled") {
		c.Tunnel.Listen = address("tunnel.listen.ip", "tunnel.listen.port")
	}
	more, err := c.check(v)
	c.Tunnel.Destinations, err = destinations(f, v, err)
	return c, append(warnings, more...), err
}

// redisConfig reads the keys that begin with prefix.
func redisConfig(v *config.Values, prefix string) RedisConfig {
	milliseconds := func(name string) time.Duration { return time.Duration(v.Int(prefix+name)) * time.Millisecond }
	c := RedisConfig{
		Addresses:        v.Strings(prefix + "addresses"),
		Username:         v.String(prefix + "username"),
		Password:         v.Secret(prefix + "password"),
		DB:               int(v.Int(prefix + "db")),
		Prefix:           v.String(prefix + "prefix"),
		Master:           v.String(prefix + "sentinel.master"),
		SentinelPassword: v.Secret(prefix + "sentinel.password"),
		Cluster:          v.Bool(prefix + "cluster.enabled"),
		TLS:              v.Bool(prefix + "tls.enabled"),
		TLSCAFile:        v.String(prefix + "tls.ca.file.path"),
		ConnectTimeout:   milliseconds("connect.timeout.ms"),
		Deadline:         milliseconds("so.timeout.ms"),
	}
	if len(c.Addresses) == 0 {
		c.Addresses = []string{net.JoinHostPort(strings.TrimSpace(v.String(prefix+"host")), strconv.FormatInt(v.Int(prefix+"port"), 10))}
	}
	return c
}

// check finds what is wrong with the keys that begin with prefix.
func (c *RedisConfig) check(v *config.Values, prefix string, fail func(key, reason string)) {
	for _, a := range c.Addresses {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			key := prefix + "addresses"
			if !v.Has(key) {
				key = prefix + "host"
			}
			fail(key, strconv.Quote(a)+" is no address of the form host:port")
		}
	}
	if c.Master != "" && !v.Has(prefix+"addresses") {
		fail(prefix+"sentinel.master", "it needs the sentinels in "+prefix+"addresses")
	}
	if c.Master != "" && c.Cluster {
		fail(prefix+"cluster.enabled", "it does not go with "+prefix+"sentinel.master")
	}
	if c.Cluster && c.DB != 0 {
		fail(prefix+"db", "a cluster has only the database 0")
	}
	if len(c.Addresses) > 1 && c.Master == "" && !c.Cluster {
		fail(prefix+"addresses", "for several addresses set "+prefix+"sentinel.master or "+prefix+"cluster.enabled=yes")
	}

}

// check finds what is wrong with values that are right one by one.
func (c *Config) check(v *config.Values) (warnings []string, err error) {
	var faults []error
	fail := func(key, reason string) { faults = append(faults, v.Fail(key, reason)) }
	warn := func(key, reason string) { warnings = append(warnings, v.Fail(key, reason).Error()) }

	if v.Has("backend.listen.ip") && !v.Has("backend.listen.port") {
		fail("backend.listen.ip", "it needs backend.listen.port beside it")
	}
	if v.Has("backend.token") && len(c.BackendToken.Reveal()) < minToken {
		fail("backend.token", "it must have at least "+strconv.Itoa(minToken)+" characters, for instance from `openssl rand -hex 32`")
	}
	// Such a one could not be sent, or would not arrive as it is.
	if strings.ContainsFunc(c.BackendToken.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		fail("backend.token", "it must have ASCII letters, digits and signs only, and no space, not even at its end")
	}
	if sharePort(c.Backend, c.Listen) {
		fail("backend.listen.port", "listen.port listens there already")
	}
	switch {
	case sharePort(c.Metrics, c.Listen):
		fail("metrics.server.listen.port", "listen.port listens there already")
	case sharePort(c.Metrics, c.Backend):
		fail("metrics.server.listen.port", "backend.listen.port listens there already")
	}
	for _, other := range []struct {
		key     string
		address netip.AddrPort
	}{{"listen.port", c.Listen}, {"backend.listen.port", c.Backend}, {"metrics.server.listen.port", c.Metrics}} {
		if sharePort(c.Tunnel.Listen, other.address) {
			fail("tunnel.listen.port", other.key+" listens there already")
			break
		}
	}
	if c.Tunnel.Listen.IsValid() && !hasDestination(v) {
		warn("tunnel.enabled", "every tunnel is refused without a destination: set tunnel.destination.0.host and tunnel.destination.0.port")
	}
	if c.TLSCertificateFile != "" && c.TLSKeyFile == "" {
		fail("tls.certificate.file.path", "it needs tls.key.file.path beside it")
	}
	if c.TLSKeyFile != "" && c.TLSCertificateFile == "" {
		fail("tls.key.file.path", "it needs tls.certificate.file.path beside it")
	}
	c.CORSOrigins = slices.Clone(c.CORSOrigins)
	for i, origin := range c.CORSOrigins {
		var ok bool
		if c.CORSOrigins[i], ok = parseOrigin(origin); !ok {
			fail("frontend.cors.origins", strconv.Quote(origin)+" is no origin: write scheme, host and port only, such as https://example.uz, and a name of other letters as xn--...")
		}
	}
	for _, policy := range c.AllowedPolicies {
		if _, err := ber.ParseOID(policy); err != nil {
			fail("policy.allowed", strconv.Quote(policy)+" is no object identifier, such as 1.2.860.3.2.2.1.2.1")
		}
	}
	c.AllowedCAs = slices.Clone(c.AllowedCAs)
	for i, id := range c.AllowedCAs {
		// As openssl and keytool print them, too.
		written := id
		id = strings.ToLower(strings.ReplaceAll(id, ":", ""))
		if _, err := hex.DecodeString(strings.Repeat("0", len(id)%2) + id); err != nil || strings.Trim(id, "0") == "" {
			fail("ca.allowed", strconv.Quote(written)+" is neither the serial number nor the SHA-256 fingerprint of a certificate, in hex")
		}
		if c.AllowedCAs[i] = id; len(id) != 64 {
			c.AllowedCAs[i] = strings.TrimLeft(id, "0")
		}
	}
	// The room for large bodies is three quarters, see httpx.Memory, and a
	// body is read with one octet more than it has.
	if room := c.Limits.Memory - c.Limits.Memory/4; room <= c.Limits.Body {
		key := "limits.memory.bytes"
		if !v.Has(key) {
			key = "limits.body.bytes"
		}
		fail(key, "limits.memory.bytes must be more than four thirds of limits.body.bytes, or the largest bodies never find room: set it to "+strconv.FormatInt(2*c.Limits.Body, 10))
	}
	if c.Cache.Redis {
		c.Cache.RedisConfig.check(v, "cache.redis.", fail)
	}
	if c.Mobile.Shared {
		c.Mobile.Redis.check(v, "mobile.storage.redis.", fail)
		// In one database a challenge and a document must not be one key.
		if a, b := c.Cache.Prefix, c.Mobile.Redis.Prefix; c.Cache.Redis && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
			fail("mobile.storage.redis.prefix", "it and cache.redis.prefix must not begin alike")
		}
	}
	switch _, err := hex.DecodeString(c.Mobile.SiteID); {
	case c.Mobile.SiteID == "":
	case err != nil || len(c.Mobile.SiteID) != 4:
		fail("mobile.siteId", "it has four hexadecimal digits, such as 20e2")
	case c.Cache.Redis && !c.Mobile.Shared:
		warn("mobile.siteId", "without mobile.storage.redis.host documents are kept in this process: a phone's signature that comes to another server of the site is lost")
	}
	switch {
	case c.Link.Host != "" && c.Link.KeyFile == "" && c.Link.TLS:
		warn("vpn.connect.host", "there is no link to it without vpn.key.file.path")
	case c.Link.Host == "" && c.Link.KeyFile != "":
		warn("vpn.key.file.path", "not used, vpn.connect.host is missing")
	case c.Link.Enabled() && !c.Link.TLS:
		warn("vpn.tls.enabled", "the link is not encrypted, and nothing proves who is at the other end")
	case c.Link.Enabled() && c.Link.TrustStoreFile == "":
		fail("vpn.key.file.path", "it needs vpn.truststore.file.path, or nothing tells who is at the other end")
	}
	if len(c.CRLURLs) > 0 && !c.CRLFallback {
		warn("crl.url", "not used without crl.fallback=yes")
	}
	return warnings, errors.Join(faults...)
}

// destinations reads tunnel.destination.N.*, and joins what is wrong with them
// to err.
func destinations(f *config.File, v *config.Values, err error) (map[uint8]string, error) {
	faults := []error{err}
	var out map[uint8]string
	seen := map[string]bool{}
	for e := range f.Entries() {
		number, ok := strings.CutPrefix(e.Key, destinationPrefix)
		number, what, dotted := strings.Cut(number, ".")
		if !ok || !dotted || what != "host" && what != "port" || seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		n, err := strconv.ParseUint(number, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != number {
			faults = append(faults, v.Fail(e.Key, strconv.Quote(number)+" is not allowed: dst_id is a number from 0 to 255"))
			continue
		}
		host, port := destinationPrefix+number+".host", destinationPrefix+number+".port"
		switch {
		case what == "port" && !v.Has(host):
			faults = append(faults, v.Fail(port, "it needs "+host+" beside it"))
		case what == "port":
		case !v.Has(port):
			faults = append(faults, v.Fail(host, "it needs "+port+" beside it"))
		default:
			name := strings.TrimSpace(v.String(host))
			name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]") // of IPv6
			if _, err := netip.ParseAddr(name); err != nil && (name == "" || strings.ContainsAny(name, ":/ []@")) {
				faults = append(faults, v.Fail(host, strconv.Quote(name)+" is no host name and no IP address"))
				continue
			}
			if out == nil {
				out = map[uint8]string{}
			}
			out[uint8(n)] = net.JoinHostPort(name, strconv.FormatInt(v.Int(port), 10))
		}
	}
	return out, errors.Join(faults...)
}

const destinationPrefix = "tunnel.destination."

func hasDestination(v *config.Values) bool {
	for n := range 256 {
		if v.Has(destinationPrefix + strconv.Itoa(n) + ".host") {
			return true
		}
	}
	return false
}

// sharePort tells whether two addresses cannot both be listened on, as far as
// that shows.
func sharePort(a, b netip.AddrPort) bool {
	return a.IsValid() && b.IsValid() && a.Port() != 0 && a.Port() == b.Port() &&
		(a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// parseOrigin returns an origin as browsers send it (RFC 6454 6.2): in lower
// case, and without the port that the scheme has anyway.
func parseOrigin(text string) (origin string, ok bool) {
	lower := strings.ToLower(text)
	u, err := url.Parse(lower)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Scheme+"://"+u.Host != lower ||
		strings.ContainsFunc(lower, func(r rune) bool { return r > '~' }) {
		return text, false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(u.Host, port), true
}

// minToken is the least length of backend.token: 96 random bits in hex.
const minToken = 24
