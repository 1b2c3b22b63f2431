package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime/debug"
	"strings"
)

// maxArgument bounds one argument: half of a message, since base64 of a
// document is all that is ever long.
const maxArgument = 32 << 20

const (
	// maxArguments is far above what any function but apikey takes, which
	// looks at 256 pairs.
	maxArguments = 512
	// maxMembers bounds what else stands in a message.
	maxMembers = 64
)

// request is what a page sends. Other members are passed over.
type request struct {
	plugin, name string
	args         []string
}

var errMessage = errors.New("this is no call")

// parseRequest reads a request. Members are told apart by case, numbers and
// booleans are taken as text, and null as if it were not there: pages send all
// of these. Names may have white space around them. Whoever sends it may have
// no key yet, so that nothing is kept of it but what a call has, and no more
// than a call has.
func parseRequest(message []byte) (r request, err error) {
	d := json.NewDecoder(bytes.NewReader(message))
	if err := delimiter(d, '{'); err != nil {
		return r, err
	}
	for n := 0; d.More(); n++ {
		member, err := d.Token()
		if err != nil {
			return request{}, err
		}
		if n == maxMembers {
			return request{}, errMessage
		}
		switch member {
		case "plugin":
			r.plugin, err = nextText(d)
		case "name":
			r.name, err = nextText(d)
		case "arguments":
			r.args, err = nextArguments(d)
		default:
			err = d.Decode(&ignored{})
		}
		if err != nil {
			return request{}, err
		}
	}
	if err := delimiter(d, '}'); err != nil {
		return request{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return request{}, errMessage
	}
	r.plugin, r.name = strings.TrimSpace(r.plugin), strings.TrimSpace(r.name)
	return r, nil
}

// ignored is a value that is passed over.
type ignored struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

func delimiter(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err == nil && token != want {
		err = errMessage
	}
	return err
}

func nextText(d *json.Decoder) (string, error) {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return "", err
	}
	return textOf(raw)
}

// nextArguments reads an array of scalars, or null.
func nextArguments(d *json.Decoder) (args []string, err error) {
	token, err := d.Token()
	if err != nil || token == nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, errMessage
	}
	for d.More() {
		if len(args) == maxArguments {
			return nil, errMessage
		}
		arg, err := nextText(d)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, delimiter(d, ']')
}

// textOf is a JSON scalar as text.
func textOf(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return "", nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case raw[0] == '{' || raw[0] == '[':
		return "", fmt.Errorf("an object or array where there should be text")
	}
	return string(raw), nil
}

// answer is the reply to one message.
func (a *Agent) answer(ctx context.Context, from Caller, message []byte) []byte {
	r, err := parseRequest(message)
	if err != nil {
		return a.refuse(from, fail(codeNoFunction, textNoFunction))
	}
	f := a.table.find(r.plugin, r.name)
	if f == nil || !f.takes(len(r.args)) {
		return a.refuse(from, fail(codeNoFunction, textNoFunction))
	}
	c := &call{Caller: from, function: f, args: r.args, language: a.language(from)}
	reply, err := a.run(ctx, c)
	if err != nil {
		a.report(c, err)
		return a.refuse(from, err)
	}
	a.report(c, nil)
	var b []byte
	switch v := reply.(type) {
	case list:
		b, err = marshal(v)
	case fields:
		all := fields{"success": true, "status": 1}
		maps.Copy(all, v)
		maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
		b, err = marshal(all)
	}
	if err != nil {
		a.log.Error("a reply cannot be written", "function", f.plugin+"."+f.name, "error", err.Error())
		return a.refuse(from, err)
	}
	return b
}

// run calls a function, if the caller may.
func (a *Agent) run(ctx context.Context, c *call) (reply any, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic", "function", c.function.plugin+"."+c.function.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply, err = nil, fail(codeOther, textInternal)
		}
	}()
	for _, arg := range c.args {
		if len(arg) > maxArgument {
			return nil, fail(codeOther, textReasonLongArgument, maxArgument)
		}
	}
	if !c.function.open {
		if err := a.allow(ctx, c); err != nil {
			return nil, err
		}
	}
	if c.function.run == nil {
		return a.table.apidoc(c.language), nil
	}
	return c.function.run(ctx, a, c)
}

// refuse is the reply that says no.
func (a *Agent) refuse(from Caller, err error) []byte {
	s := asStatus(err)
	reason := s.text.in(a.language(from))
	if len(s.args) > 0 {
		reason = fmt.Sprintf(reason, s.args...)
	}
	b, err := marshal(fields{"success": false, "status": s.code, "reason": reason})
	if err != nil {
		panic(err) // numbers and strings only
	}
	return b
}

// marshal writes JSON as the original does: no escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// report writes what a call came to: into the audit log, and why it failed
// into the program's own.
func (a *Agent) report(c *call, err error) {
	code := 1
	if err != nil {
		code = asStatus(err).code
		a.log.Debug("refused", "function", c.function.plugin+"."+c.function.name, "error", err.Error())
	}
	attrs := append([]slog.Attr{
		slog.String("origin", c.Origin),
		slog.String("function", strings.TrimPrefix(c.function.plugin+"."+c.function.name, ".")),
		slog.Int("status", code),
	}, c.noted...)
	a.audit(attrs)
}
