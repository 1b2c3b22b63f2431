package peer

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The names IMZO_REQUIRE understands.
const (
	nameOpenSSL      = "openssl"
	nameGOSTEngine   = "gost-engine"
	nameBouncyCastle = "bouncycastle"
	nameRedis        = "redis"
	nameNginx        = "nginx"
	nameChromium     = "chromium"
	nameRHash        = "rhash"
	nameSystemd      = "systemd"
	nameStrace       = "strace"
	nameKeytool      = "keytool"
	namePromtool     = "promtool"
	nameZBar         = "zbarimg"
	namePinentry     = "pinentry-tty"
	nameCertutil     = "certutil"
	nameSoftHSM      = "softhsm2"
)

// debianPackages tells for each peer what to install.
var debianPackages = map[string]string{
	nameOpenSSL:      "openssl",
	nameGOSTEngine:   "libengine-gost-openssl",
	nameBouncyCastle: "openjdk-17-jdk-headless libbcprov-java libbcpkix-java libbcutil-java",
	nameRedis:        "redis-server",
	nameNginx:        "nginx",
	nameChromium:     "chromium",
	nameRHash:        "rhash",
	nameSystemd:      "systemd",
	nameStrace:       "strace",
	nameKeytool:      "openjdk-17-jre-headless",
	namePromtool:     "prometheus",
	nameZBar:         "zbar-tools",
	namePinentry:     "pinentry-tty",
	nameCertutil:     "libnss3-tools",
	nameSoftHSM:      "softhsm2",
}

const requireEnv = "IMZO_REQUIRE"

// required reports whether the list, the value of IMZO_REQUIRE, names the
// peer. unknown holds the entries that name no peer at all: a misspelt name
// must not switch a requirement off.
func required(name, list string) (yes bool, unknown []string) {
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if _, ok := debianPackages[entry]; !ok {
			unknown = append(unknown, entry)
		}
		if entry == name {
			yes = true
		}
	}
	slices.Sort(unknown)
	return yes, unknown
}

// absent ends the test: as failed when IMZO_REQUIRE names the peer, else as
// skipped.
func absent(t testing.TB, name, why string) {
	t.Helper()
	yes, unknown := required(name, os.Getenv(requireEnv))
	if len(unknown) > 0 {
		t.Fatalf("%s names no known peer: %s", requireEnv, strings.Join(unknown, ", "))
	}
	if yes {
		t.Fatalf("%s is required by %s and not usable: %s (Debian: apt-get install %s)",
			name, requireEnv, why, debianPackages[name])
	}
	t.Skipf("%s is not usable: %s (Debian: apt-get install %s)", name, why, debianPackages[name])
}

// program returns the path of the first of the commands that is installed.
// Debian keeps servers in /usr/sbin, which is not on every user's PATH.
func program(t testing.TB, name string, commands ...string) string {
	t.Helper()
	for _, c := range commands {
		if path, err := exec.LookPath(c); err == nil {
			return path
		}
		if path, err := exec.LookPath("/usr/sbin/" + c); err == nil {
			return path
		}
	}
	absent(t, name, "no program "+strings.Join(commands, " or ")+" found")
	return ""
}

// Nginx returns the path of the nginx program.
func Nginx(t testing.TB) string {
	t.Helper()
	return program(t, nameNginx, "nginx")
}

// Chromium returns the path of the Chromium (or Chrome) browser.
func Chromium(t testing.TB) string {
	t.Helper()
	return program(t, nameChromium, "chromium", "chromium-browser", "google-chrome")
}

// RHash returns the path of the rhash program.
func RHash(t testing.TB) string {
	t.Helper()
	return program(t, nameRHash, "rhash")
}

// SystemdAnalyze returns the path of the systemd-analyze program.
func SystemdAnalyze(t testing.TB) string {
	t.Helper()
	return program(t, nameSystemd, "systemd-analyze")
}

// Strace returns the path of the strace program.
func Strace(t testing.TB) string {
	t.Helper()
	return program(t, nameStrace, "strace")
}

// Keytool returns the path of Java's keytool.
func Keytool(t testing.TB) string {
	t.Helper()
	return program(t, nameKeytool, "keytool")
}

// Promtool returns the path of Prometheus's promtool.
func Promtool(t testing.TB) string {
	t.Helper()
	return program(t, namePromtool, "promtool")
}

// ZBar returns the path of the zbarimg program, which reads QR codes.
func ZBar(t testing.TB) string {
	t.Helper()
	return program(t, nameZBar, "zbarimg")
}

// Pinentry returns the path of GnuPG's pinentry for plain terminals.
func Pinentry(t testing.TB) string {
	t.Helper()
	return program(t, namePinentry, "pinentry-tty")
}

// Certutil returns the path of certutil, which keeps the certificate databases
// of NSS.
func Certutil(t testing.TB) string {
	t.Helper()
	return program(t, nameCertutil, "certutil")
}

// SoftHSM returns the paths of SoftHSM's tool, softhsm2-util, and of its PKCS#11
// module. The module is where Debian has it, or in SOFTHSM2_MODULE.
func SoftHSM(t testing.TB) (util, module string) {
	t.Helper()
	util = program(t, nameSoftHSM, "softhsm2-util")
	candidates := []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"}
	if set := os.Getenv("SOFTHSM2_MODULE"); set != "" {
		candidates = []string{set}
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return util, path
		}
	}
	absent(t, nameSoftHSM, "no module at "+strings.Join(candidates, ", "))
	return "", ""
}
