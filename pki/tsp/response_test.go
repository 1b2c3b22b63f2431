package tsp

import (
	"bytes"
	"errors"
	"testing"

	"imzo/pki/ber"
)

func TestParseResponse(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	token := w.token(t)
	status := func(n int64, more ...[]byte) []byte {
		return ber.Sequence(append([][]byte{ber.Int64(n)}, more...)...)
	}
	text := func(lines ...string) []byte {
		var out [][]byte
		for _, l := range lines {
			out = append(out, ber.UTF8String(l))
		}
		return ber.Sequence(out...)
	}
	for _, tt := range []struct {
		name string
		der  []byte
		want *Response // nil: refused
	}{
		{"granted", ber.Sequence(status(0), token), &Response{Status: Granted}},
		{"granted with modifications", ber.Sequence(status(1, text("clock adjusted")), token), &Response{Status: GrantedWithMods, Text: "clock adjusted"}},
		{"rejected", ber.Sequence(status(2)), &Response{Status: Rejection}},
		{"rejected with reasons", ber.Sequence(status(2, text("no", "never"), ber.NamedBits(0, 2, 15))), &Response{Status: Rejection, Text: "no; never", Failure: BadAlg | BadRequest | UnacceptedPolicy}},
		{"rejected, the last bit", ber.Sequence(status(2, ber.NamedBits(25))), &Response{Status: Rejection, Failure: SystemFailure}},
		{"rejected, an unknown bit", ber.Sequence(status(2, ber.NamedBits(31))), &Response{Status: Rejection, Failure: 1 << 31}},
		{"waiting", ber.Sequence(status(3)), &Response{Status: Waiting}},
		{"revocation warning", ber.Sequence(status(4)), &Response{Status: RevocationWarning}},
		{"revoked", ber.Sequence(status(5)), &Response{Status: RevocationNotification}},

		{"granted with failInfo", ber.Sequence(status(0, ber.NamedBits(0)), token), nil},
		{"granted with failInfo of no bits", ber.Sequence(status(0, ber.BitString(nil)), token), nil},
		{"granted with failInfo, no token", ber.Sequence(status(0, ber.NamedBits(0))), nil},
		{"granted without token", ber.Sequence(status(0)), nil},
		{"rejected with token", ber.Sequence(status(2), token), nil},
		{"waiting with token", ber.Sequence(status(3), token), nil},
		{"revocation warning with token", ber.Sequence(status(4), token), nil},
		{"granted with two tokens", ber.Sequence(status(0), token, token), nil},
		{"granted with what is no token", ber.Sequence(status(0), ber.Sequence()), nil},
		{"granted with NULL", ber.Sequence(status(0), ber.Null()), nil},
		{"nothing", nil, nil},
		{"no sequence", ber.Set(), nil},
		{"empty", ber.Sequence(), nil},
		{"status of no number", ber.Sequence(ber.Sequence()), nil},
		{"status 6", ber.Sequence(status(6)), nil},
		{"status -1", ber.Sequence(status(-1)), nil},
		{"status of 9 octets", ber.Sequence(ber.Sequence(ber.Tagged(ber.TagInteger, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}))), nil},
		{"text of another type", ber.Sequence(status(2, ber.Sequence(ber.IA5String("no")))), nil},
		{"text that is no UTF-8", ber.Sequence(status(2, ber.Sequence(ber.Tagged(ber.TagUTF8String, []byte{0xff})))), nil},
		{"failInfo of 33 bits", ber.Sequence(status(2, ber.BitString(make([]byte, 5)))), nil},
		{"failInfo without octets", ber.Sequence(status(2, ber.Tagged(ber.TagBitString))), nil},
		{"status with more", ber.Sequence(status(2, ber.Null())), nil},
		{"trailing octets", append(ber.Sequence(status(2)), 0), nil},
		{"too large", make([]byte, maxResponse+1), nil},
	} {
		res, err := ParseResponse(tt.der)
		if tt.want == nil {
			if !errors.Is(err, ErrFormat) || res != nil {
				t.Errorf("%s: %+v, %v", tt.name, res, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		granted := tt.want.Status <= GrantedWithMods
		if res.Status != tt.want.Status || res.Text != tt.want.Text || res.Failure != tt.want.Failure || (res.Token != nil) != granted || !bytes.Equal(res.Raw, tt.der) {
			t.Errorf("%s: %+v", tt.name, res)
		}
		_, err = res.Check(w.request())
		var rejected *RejectedError
		if granted != (err == nil) || !granted && (!errors.As(err, &rejected) || rejected.Status != tt.want.Status) {
			t.Errorf("%s: check says %v", tt.name, err)
		}
	}
}

func TestErrorsTellWhatTheAuthoritySaid(t *testing.T) {
	for want, err := range map[string]*RejectedError{
		"timestamp authority says rejection":                            {Status: Rejection},
		"timestamp authority says waiting":                              {Status: Waiting},
		`timestamp authority says rejection: badAlg ("use\nanother")`:   {Status: Rejection, Failure: BadAlg, Text: "use\nanother"},
		"timestamp authority says rejection: badRequest, badDataFormat": {Status: Rejection, Failure: BadRequest | BadDataFormat},
		"timestamp authority says PKIStatus 9: timeNotAvailable, unacceptedPolicy, unacceptedExtension, addInfoNotAvailable, systemFailure, failure 31": {
			Status: 9, Failure: TimeNotAvailable | UnacceptedPolicy | UnacceptedExtension | AddInfoNotAvailable | SystemFailure | 1<<31},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	for s, want := range map[PKIStatus]string{Granted: "granted", GrantedWithMods: "grantedWithMods", RevocationWarning: "revocationWarning",
		RevocationNotification: "revocationNotification", -1: "PKIStatus -1"} {
		if got := s.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
