package cli

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// originalTunnel begins the argument of E-IMZO that gives the address of a
// tunnel (guide 4.2): -tunnel.6578616d706c652e757a=1.2.3.4:8843
const originalTunnel = "-tunnel."

// agentArgs turns the arguments of E-IMZO among those of imzo agent into ours.
// Others stay as they are.
func agentArgs(args []string) []string {
	var kept []string
	for i, a := range args {
		if a == "--" {
			return append(kept, args[i:]...)
		}
		if strings.HasPrefix(a, originalTunnel) {
			a = "--tunnel=" + a
		}
		kept = append(kept, a)
	}
	return kept
}

// tunnels are the addresses of the servers of tunnels, by domain: those of
// --tunnel and of --run-conf.
func (a *agentFlags) tunnels(log *slog.Logger) (map[string]string, error) {
	all := tunnelAddresses{}
	for _, t := range a.tunnelFlags {
		if err := all.add(t); err != nil {
			return nil, usageError{fmt.Errorf("--tunnel: %w", err)}
		}
	}
	if a.runConf != "" {
		if err := all.readRunConf(a.runConf, log); err != nil {
			return nil, usageError{fmt.Errorf("--run-conf: %w", err)}
		}
	}
	return all, nil
}

// tunnelAddresses are HOST:PORT by domain.
type tunnelAddresses map[string]string

// add takes DOMAIN=HOST:PORT, or E-IMZO's -tunnel.HEX=HOST:PORT.
func (t tunnelAddresses) add(argument string) error {
	name, address, ok := strings.Cut(argument, "=")
	encoded, original := strings.CutPrefix(name, originalTunnel)
	switch {
	case !ok && original:
		return fmt.Errorf("%q is not %sHEX=HOST:PORT", argument, originalTunnel)
	case !ok:
		return fmt.Errorf("%q is not DOMAIN=HOST:PORT", argument)
	case original:
		b, err := hex.DecodeString(encoded)
		if err != nil {
			return fmt.Errorf("%s: %q is not the domain in hexadecimal digits, such as 6578616d706c652e757a for example.uz", argument, encoded)
		}
		name = string(b)
	}
	domain, err := hostName(name)
	if err != nil {
		return fmt.Errorf("%s: the domain %w", argument, err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %q is not HOST:PORT", argument, address)
	}
	if host, err = hostName(host); err != nil {
		return fmt.Errorf("%s: the host %w", argument, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return fmt.Errorf("%s: the port is 1 to 65535, not %q", argument, port)
	}
	address = net.JoinHostPort(host, strconv.FormatUint(number, 10))
	if other, ok := t[domain]; ok && other != address {
		return fmt.Errorf("the tunnel of %s has two addresses, %s and %s", domain, other, address)
	}
	t[domain] = address
	return nil
}

// hostName is a host as browsers name it: a name in ASCII and small letters, or
// an IP address without brackets.
func hostName(s string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Zone() == "" {
		return ip.String(), nil
	}
	name := strings.ToLower(s)
	if name == "" || len(name) > 253 || name == "null" {
		return "", fmt.Errorf("is no host name: %q", s)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("is no host name in ASCII (of others, the xn-- form): %q", s)
		}
	}
	return name, nil
}

// maxRunConf bounds a run.conf.
const maxRunConf = 64 << 10

// readRunConf takes the tunnels out of a run.conf of E-IMZO. What else it says
// is for E-IMZO, and warned about.
func (t tunnelAddresses) readRunConf(file string, log *slog.Logger) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRunConf+1))
	if err != nil {
		return err
	}
	if len(text) > maxRunConf {
		return fmt.Errorf("%s is longer than %d octets", file, maxRunConf)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for i, line := range strings.Split(string(text), "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		if err := t.addLine(line, func(what, name string) { log.Warn(what, "at", at, "name", name) }); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// addLine takes one line of a run.conf.
func (t tunnelAddresses) addLine(line string, warn func(what, name string)) error {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return nil
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return errors.New("neither NAME=VALUE nor a comment")
	}
	if key = strings.TrimSpace(key); key != "arguments" {
		warn("a setting of E-IMZO is not used", key)
		return nil
	}
	for _, argument := range strings.Fields(value) {
		argument = strings.Trim(argument, `"`)
		if !strings.HasPrefix(argument, originalTunnel) {
			warn("an argument of E-IMZO is not used", argument)
			continue
		}
		if err := t.add(argument); err != nil {
			return err
		}
	}
	return nil
}
