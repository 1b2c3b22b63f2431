package agent

import (
	"context"
	"errors"

	"imzo/internal/eimzo/agent/origin"
)

// mainPlugin is what pages call without naming a plugin: it is not in apidoc.
// Old pages ask for timestamp requests there too.
func mainPlugin() plugin {
	return plugin{functions: []function{
		{name: "version", open: true, run: version},
		{name: "apikey", open: true, variadic: true, run: registerKeys},
		{name: "apidoc", open: true, run: nil},
		requestForSignature(argument{name: "signature_hex"}),
	}}
}

// version gives its numbers as text: pages parse them.
func version(context.Context, *Agent, *call) (fields, error) {
	return fields{"major": versionMajor, "minor": versionMinor, "patch": versionPatch, "edition": "Standard"}, nil
}

// registerKeys takes pairs of a domain and its key. One that is wrong fails
// the whole call. The caller need not be among the domains, as in the
// original: a key is the vendor's public word, whoever brings it.
func registerKeys(_ context.Context, a *Agent, c *call) (fields, error) {
	if len(c.args) < 2 || len(c.args)%2 != 0 {
		return nil, fail(codeNoFunction, textNoFunction)
	}
	if err := a.options.Register(c.args); err != nil {
		var e *origin.KeyError
		if errors.As(err, &e) {
			return nil, fail(-1020, textApiKeyForDomainSIsInvalid, e.Domain)
		}
		return nil, err
	}
	return fields{"message": c.Origin}, nil
}
