package server

import (
	"slices"

	"imzo/internal/config"
)

// EnvironmentPrefix begins the environment variables that override keys of
// the file, as in the containers that people run the original in.
const EnvironmentPrefix = "EIMZO_CFG_"

// Keys returns the table of the keys in config.properties: those of
// E-IMZO-SERVER, and our own.
func Keys() config.Table {
	const (
		noSweep  = "expired entries are dropped as new ones come, there is nothing to tune"
		noTuning = "requests run in parallel as the machine allows, there is nothing to tune"
	)
	const port, most = 65535, 1<<31 - 1
	const mostMinutes = 100 * 366 * 24 * 60 // a century; three do not fit a time.Duration
	group := func(name string, keys ...config.Key) config.Table {
		for i := range keys {
			keys[i].Group = name
		}
		return keys
	}
	return slices.Concat(
		group("Listening",
			config.Key{Name: "listen.ip", Kind: config.IP, Default: "0.0.0.0", Doc: "Address to listen on; 0.0.0.0 and :: are all of the machine's."},
			config.Key{Name: "listen.port", Kind: config.Int, Default: "8080", Max: port, Doc: "TCP port to listen on; 0 takes a free one."},
			config.Key{Name: "backend.listen.ip", Kind: config.IP, Default: "127.0.0.1", Own: true, Doc: "Address of the back end's own port."},
			config.Key{Name: "backend.listen.port", Kind: config.Int, Max: port, Own: true, Doc: "A port of its own for `/backend/*`, health, metrics and OpenAPI, which then are not on `listen.port` any more; 0 takes a free one."},
			config.Key{Name: "backend.token", Kind: config.String, Secret: true, Own: true, Doc: "What callers of `/backend/*` must send as `Authorization: Bearer ...`; otherwise 401."},
			config.Key{Name: "tls.certificate.file.path", Kind: config.Path, Own: true, Doc: "Certificate chain as PEM: both ports then speak HTTPS. Read again on SIGHUP."},
			config.Key{Name: "tls.key.file.path", Kind: config.Path, Own: true, Doc: "Private key of that certificate, as PEM."},
			config.Key{Name: "proxy.trusted", Kind: config.Networks, Default: "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", Own: true, Doc: "Who may name the user's address in X-Real-IP and X-Forwarded-For where it counts, which is for rate limits."},
			config.Key{Name: "frontend.cors.origins", Kind: config.List, Own: true, Doc: "Origins, such as `https://example.uz`, whose pages may call `/frontend/*` on another origin."},
		),
		group("Trust and verification",
			config.Key{Name: "tsp.jks.file.path", Kind: config.Path, Doc: "Trust store with the root certificates: JKS, PKCS#12 or PEM. Read again on SIGHUP."},
			config.Key{Name: "tsp.jks.file.password", Kind: config.String, Secret: true, Default: "12345678", Doc: "Password of that trust store."},
			config.Key{Name: "trust.pem.file.path", Kind: config.Path, Own: true, Doc: "Trusted root certificates as PEM, beside or instead of the trust store. Read again on SIGHUP."},
			config.Key{Name: "auth.service.valid.minutes.window", Kind: config.Int, Default: "10", Min: 1, Max: mostMinutes, Doc: "How many minutes the signingTime of an answer to a challenge may differ from the server's clock."},
			config.Key{Name: "policy.allowed", Kind: config.List, Own: true, Doc: "Certificate policies (OIDs) of which a signer's certificate must have one; otherwise status -24."},
			config.Key{Name: "ca.allowed", Kind: config.List, Own: true, Doc: "Serial numbers (hex) or SHA-256 fingerprints (hex) of the CA certificates that may issue signers' certificates; otherwise status -25."},
			config.Key{Name: "revocation.strict", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether a certificate revoked after the timestamp makes the signature invalid."},
			config.Key{Name: "revocation.ca", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether the CA certificates between signer and root must be known not to be revoked too."},
			config.Key{Name: "time.zone", Kind: config.TimeZone, Default: "Asia/Tashkent", Own: true, Doc: "Zone of all dates in replies."},
			config.Key{Name: "message.language", Kind: config.Enum, Values: []string{"ru", "uz", "en"}, Default: "ru", Own: true, Doc: "Language of `message` when Accept-Language asks for none of the three."},
		),
		group("OCSP, CRL and timestamps",
			config.Key{Name: "ocsp.url", Kind: config.URLs, Own: true, Doc: "OCSP responders to ask instead of the ones that certificates name; the next when one does not answer."},
			config.Key{Name: "ocsp.nonce", Kind: config.Enum, Values: []string{"require", "if-present", "off"}, Default: "require", Own: true, Doc: "Whether an OCSP answer must repeat the nonce of the question; `if-present` is for responders that sign in advance."},
			config.Key{Name: "ocsp.cache.seconds", Kind: config.Int, Default: "60", Max: 86400, Own: true, Doc: "How long an OCSP answer is used, never beyond its nextUpdate; 0 asks every time, as log-ins always do."},
			config.Key{Name: "crl.fallback", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether CRLs decide when no OCSP responder answers."},
			config.Key{Name: "crl.url", Kind: config.URLs, Own: true, Doc: "CRLs to use instead of the ones that certificates name."},
			config.Key{Name: "tsp.url", Kind: config.URLs, Own: true, Doc: "Timestamp authorities to ask instead of the one that the signer's certificate names, or with a trust link, of the one at its end; the next when one does not answer."},
		),
		group("Trust link (VPN)",
			config.Key{Name: "vpn.tls.enabled", Kind: config.Bool, Default: "yes", Doc: "Whether the link speaks TLS; without it nothing proves who is at the other end."},
			config.Key{Name: "vpn.connect.host", Kind: config.String, Doc: "Host that OCSP questions, timestamps and `/ping` go to. Without it they go to their own addresses."},
			config.Key{Name: "vpn.connect.port", Kind: config.Int, Default: "3443", Min: 1, Max: port, Doc: "Its port."},
			config.Key{Name: "vpn.key.file.path", Kind: config.Path, Doc: "Client key and certificate: PKCS#12, JKS or PEM. Without one there is no link, and the server starts all the same. Read again on SIGHUP."},
			config.Key{Name: "vpn.key.password", Kind: config.String, Secret: true, Doc: "Password of that file."},
			config.Key{Name: "vpn.truststore.file.path", Kind: config.Path, Doc: "Certificates that the other end's must lead to: JKS, PKCS#12 or PEM."},
			config.Key{Name: "vpn.truststore.password", Kind: config.String, Secret: true, Default: "12345678", Doc: "Password of that trust store."},
			config.Key{Name: "vpn.keepalive.time.sec", Kind: config.Int, Default: "60", Min: 1, Max: most, Doc: "How often the link is tried when it is idle."},
			config.Key{Name: "vpn.keepalive.timeout.sec", Kind: config.Int, Default: "20", Min: 1, Max: most, Doc: "After how long without an answer the link counts as down."},
		),
		group("Challenges",
			config.Key{Name: "cache.type", Kind: config.Enum, Values: []string{"local", "redis"}, Default: "local", Doc: "Where challenges are kept: `local`, in this process, or `redis`, which several servers share."},
			config.Key{Name: "cache.local.key.ttl.seconds", Kind: config.Int, Default: "120", Min: 1, Max: most, Doc: "How long a challenge in the local cache may be answered; the reply says 120 all the same."},
			config.Key{Name: "cache.local.clear.interval.seconds", Kind: config.Int, Min: 1, Max: most, Unsupported: noSweep, Doc: "How often the local cache is swept."},
			config.Key{Name: "cache.redis.host", Kind: config.String, Default: "127.0.0.1", Doc: "Host of the Redis server."},
			config.Key{Name: "cache.redis.port", Kind: config.Int, Default: "6379", Min: 1, Max: port, Doc: "Its port."},
			config.Key{Name: "cache.redis.connect.timeout.ms", Kind: config.Int, Default: "2000", Min: 1, Max: most, Doc: "Time to connect to Redis."},
			config.Key{Name: "cache.redis.so.timeout.ms", Kind: config.Int, Default: "2000", Min: 1, Max: most, Doc: "Time for an answer of Redis."},
			config.Key{Name: "cache.redis.password", Kind: config.String, Secret: true, Doc: "Password of Redis."},
			config.Key{Name: "cache.redis.db", Kind: config.Int, Default: "0", Max: most, Doc: "Number of the Redis database."},
			config.Key{Name: "cache.redis.username", Kind: config.String, Own: true, Doc: "User of Redis 6 and later."},
			config.Key{Name: "cache.redis.prefix", Kind: config.String, Default: "imzo:challenge:", Own: true, Doc: "What the keys in Redis begin with. All servers of a site must agree."},
			config.Key{Name: "cache.redis.addresses", Kind: config.List, Own: true, Doc: "`host:port` of the sentinels, or of nodes of a cluster; replaces host and port."},
			config.Key{Name: "cache.redis.sentinel.master", Kind: config.String, Own: true, Doc: "Name of the master: the addresses are those of sentinels."},
			config.Key{Name: "cache.redis.sentinel.password", Kind: config.String, Secret: true, Own: true, Doc: "Password of the sentinels."},
			config.Key{Name: "cache.redis.cluster.enabled", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether the addresses are those of a Redis Cluster."},
			config.Key{Name: "cache.redis.tls.enabled", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether Redis speaks TLS."},
			config.Key{Name: "cache.redis.tls.ca.file.path", Kind: config.Path, Own: true, Doc: "CA certificates as PEM to check Redis with, instead of the system's."},
		),
		group("Limits",
			config.Key{Name: "limits.body.bytes", Kind: config.Int, Default: "134217728", Min: 1024, Max: 1 << 40, Own: true, Doc: "Largest request body; more is 413."},
			config.Key{Name: "limits.multipart.bytes", Kind: config.Int, Default: "2147483648", Min: 1024, Max: 1 << 50, Own: true, Doc: "Largest multipart body, whose document is read as it comes and not kept."},
			config.Key{Name: "limits.memory.bytes", Kind: config.Int, Default: "268435456", Min: 1024, Max: 1 << 40, Own: true, Doc: "How much of all request bodies together may be in memory, which takes about four times as much while they are worked on; what does not fit is 503 with Retry-After. A quarter of it is for bodies up to 64 KiB alone."},
			config.Key{Name: "limits.connections", Kind: config.Int, Default: "10000", Min: 1, Max: most, Own: true, Doc: "Connections open at the same time on one port; others wait."},
			config.Key{Name: "limits.workers", Kind: config.Int, Default: "0", Max: 1024, Own: true, Doc: "How many verifications compute at the same time, large documents in half of it; others wait in order, and get 503 with Retry-After after seven seconds. 0 is one for each processor, and two at least."},
			config.Key{Name: "limits.challenge.per.minute", Kind: config.Int, Default: "0", Max: most, Own: true, Doc: "Challenges for one address of users in a minute; more is 429. 0 is without limit."},
			config.Key{Name: "limits.mobile.per.minute", Kind: config.Int, Default: "0", Max: most, Own: true, Doc: "Log-ins and signatures by phone that one address may begin in a minute."},
			config.Key{Name: "limits.auth.per.minute", Kind: config.Int, Default: "0", Max: most, Own: true, Doc: "The same for `/backend/auth`. The site must send X-Real-IP, or all its users are one."},
		),
		group("Operation",
			config.Key{Name: "log.level", Kind: config.Enum, Values: []string{"debug", "info", "warn", "error"}, Default: "info", Own: true, Doc: "What is logged: lines of this level and above."},
			config.Key{Name: "log.format", Kind: config.Enum, Values: []string{"text", "json"}, Default: "text", Own: true, Doc: "How it is logged."},
			config.Key{Name: "metrics.server.enabled", Kind: config.Bool, Default: "no", Doc: "Whether `/metrics` has a port of its own, too."},
			config.Key{Name: "metrics.server.listen.ip", Kind: config.IP, Default: "0.0.0.0", Doc: "Address of the metrics."},
			config.Key{Name: "metrics.server.listen.port", Kind: config.Int, Default: "8081", Max: port, Doc: "Port of the metrics."},
			config.Key{Name: "scheduler.fixed.threads.count", Kind: config.Int, Max: most, Unsupported: noTuning, Doc: "Number of worker threads."},
			config.Key{Name: "dsv.enabled", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether the SOAP interface of the predecessor, DSV-SERVER, is served at `/dsvs/pkcs7/v1`."},
		),
		group("Mobile",
			config.Key{Name: "mobile.siteId", Kind: config.String, Doc: "SiteID of the site at the gateway of ID-CARD E-IMZO MOBILE, four hexadecimal digits; turns `/frontend/mobile/*` and `/backend/mobile/*` on."},
			config.Key{Name: "mobile.storage.redis.host", Kind: config.String, Doc: "Host of the Redis server with the documents that phones sign, which several servers share. Without it, and without addresses, they are kept in this process."},
			config.Key{Name: "mobile.storage.redis.port", Kind: config.Int, Default: "6379", Min: 1, Max: port, Doc: "Port of that Redis server."},
			config.Key{Name: "mobile.storage.redis.password", Kind: config.String, Secret: true, Doc: "Password of that Redis server."},
			config.Key{Name: "mobile.storage.redis.db", Kind: config.Int, Default: "0", Max: most, Doc: "Number of that Redis database."},
			config.Key{Name: "mobile.storage.redis.username", Kind: config.String, Own: true, Doc: "User of Redis 6 and later."},
			config.Key{Name: "mobile.storage.redis.prefix", Kind: config.String, Default: "imzo:document:", Own: true, Doc: "What the keys in Redis begin with. All servers of a site must agree."},
			config.Key{Name: "mobile.storage.redis.connect.timeout.ms", Kind: config.Int, Default: "2000", Min: 1, Max: most, Own: true, Doc: "Time to connect to Redis."},
			config.Key{Name: "mobile.storage.redis.so.timeout.ms", Kind: config.Int, Default: "2000", Min: 1, Max: most, Own: true, Doc: "Time for an answer of Redis."},
			config.Key{Name: "mobile.storage.redis.addresses", Kind: config.List, Own: true, Doc: "`host:port` of the sentinels, or of nodes of a cluster; replaces host and port."},
			config.Key{Name: "mobile.storage.redis.sentinel.master", Kind: config.String, Own: true, Doc: "Name of the master: the addresses are those of sentinels."},
			config.Key{Name: "mobile.storage.redis.sentinel.password", Kind: config.String, Secret: true, Own: true, Doc: "Password of the sentinels."},
			config.Key{Name: "mobile.storage.redis.cluster.enabled", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether the addresses are those of a Redis Cluster."},
			config.Key{Name: "mobile.storage.redis.tls.enabled", Kind: config.Bool, Default: "no", Own: true, Doc: "Whether Redis speaks TLS."},
			config.Key{Name: "mobile.storage.redis.tls.ca.file.path", Kind: config.Path, Own: true, Doc: "CA certificates as PEM to check Redis with, instead of the system's."},
			config.Key{Name: "mobile.document.ttl.seconds", Kind: config.Int, Default: "300", Min: 30, Max: 86400, Own: true, Doc: "How long a document waits for its signature. Clients in use ask for two minutes."},
			config.Key{Name: "mobile.upload.from", Kind: config.Networks, Own: true, Doc: "Addresses of the gateway: uploads of others are 403. Without it anybody may upload, as with the original, and the signature alone counts."},
		),
		group("Tunnel",
			config.Key{Name: "tunnel.enabled", Kind: config.Bool, Default: "no", Doc: "Whether the tunnel is served."},
			config.Key{Name: "tunnel.listen.ip", Kind: config.IP, Default: "0.0.0.0", Doc: "Address of the tunnel."},
			config.Key{Name: "tunnel.listen.port", Kind: config.Int, Default: "8843", Max: port, Doc: "Port of the tunnel; 0 takes a free one."},
			config.Key{Name: "tunnel.servers.dir", Kind: config.Path, Default: "tunnel/servers", Doc: "Folder of the keys and certificates of domains: .pfx and .p12, or .pem with .key. Read again on SIGHUP."},
			config.Key{Name: "tunnel.servers.password", Kind: config.String, Secret: true, Own: true, Doc: "Password of the keys in that folder that have none in a file of the same name with .password."},
			config.Key{Name: "tunnel.truststore.file", Kind: config.Path, Doc: "Certificates that those of users must lead to: JKS, PKCS#12 or PEM. Without it those that the rest of the server trusts. Read again on SIGHUP."},
			config.Key{Name: "tunnel.truststore.password", Kind: config.String, Secret: true, Default: "12345678", Doc: "Password of that trust store."},
			config.Key{Name: "tunnel.destination.N.host", Kind: config.String, Doc: "Where the tunnel with dst_id N ends; N is 0 to 255. Read again on SIGHUP."},
			config.Key{Name: "tunnel.destination.N.port", Kind: config.Int, Min: 1, Max: port, Doc: "Port of that destination. Read again on SIGHUP."},
			config.Key{Name: "tunnel.idle.seconds", Kind: config.Int, Default: "600", Max: most, Own: true, Doc: "After how long without an octet either way a tunnel ends; 0 is never."},
			config.Key{Name: "tunnel.limit.total", Kind: config.Int, Default: "10000", Min: 1, Max: most, Own: true, Doc: "Tunnels open at the same time; others are refused."},
			config.Key{Name: "tunnel.limit.address", Kind: config.Int, Default: "100", Max: most, Own: true, Doc: "Tunnels open at the same time from one address; 0 is without limit."},
			config.Key{Name: "tunnel.drain.seconds", Kind: config.Int, Default: "10", Max: most, Own: true, Doc: "How long open tunnels may go on when the server stops."},
		),
	)
}
