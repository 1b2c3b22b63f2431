package tsp

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"imzo/pki/ber"
)

// maxResponse bounds a response: a token and its status.
const maxResponse = maxToken + 64<<10

// PKIStatus is the outcome of a request (RFC 3161 2.4.2).
type PKIStatus int

const (
	Granted PKIStatus = iota
	GrantedWithMods
	Rejection
	Waiting
	RevocationWarning
	RevocationNotification
)

func (s PKIStatus) String() string {
	names := [...]string{"granted", "grantedWithMods", "rejection", "waiting", "revocationWarning", "revocationNotification"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("PKIStatus %d", int(s))
	}
	return names[s]
}

// FailureInfo is a set of the reasons of RFC 3161 2.4.2, bit n of the BIT
// STRING as 1<<n.
type FailureInfo uint32

const (
	BadAlg              FailureInfo = 1 << 0
	BadRequest          FailureInfo = 1 << 2
	BadDataFormat       FailureInfo = 1 << 5
	TimeNotAvailable    FailureInfo = 1 << 14
	UnacceptedPolicy    FailureInfo = 1 << 15
	UnacceptedExtension FailureInfo = 1 << 16
	AddInfoNotAvailable FailureInfo = 1 << 17
	SystemFailure       FailureInfo = 1 << 25
)

func (f FailureInfo) String() string {
	names := map[FailureInfo]string{
		BadAlg: "badAlg", BadRequest: "badRequest", BadDataFormat: "badDataFormat", TimeNotAvailable: "timeNotAvailable",
		UnacceptedPolicy: "unacceptedPolicy", UnacceptedExtension: "unacceptedExtension",
		AddInfoNotAvailable: "addInfoNotAvailable", SystemFailure: "systemFailure",
	}
	var out []string
	for rest := f; rest != 0; rest &= rest - 1 {
		bit := FailureInfo(1) << bits.TrailingZeros32(uint32(rest))
		if name := names[bit]; name != "" {
			out = append(out, name)
		} else {
			out = append(out, fmt.Sprintf("failure %d", bits.TrailingZeros32(uint32(bit))))
		}
	}
	return strings.Join(out, ", ")
}

// Response is TimeStampResp (RFC 3161 2.4.2).
type Response struct {
	Raw     []byte
	Status  PKIStatus
	Text    string // statusString, lines joined
	Failure FailureInfo
	Token   *Token // nil unless granted
}

// ParseResponse reads a response. A token where none may be, or none where one
// must be, is an error: a response cannot grant and refuse at once.
func ParseResponse(der []byte) (*Response, error) {
	if len(der) > maxResponse {
		return nil, formatErrorf("response of %d octets", len(der))
	}
	root, err := ber.Parse(der)
	if err != nil {
		return nil, formatError(err)
	}
	res := &Response{Raw: root.Raw}
	if err := res.parse(root); err != nil {
		return nil, formatError(err)
	}
	return res, nil
}

func (res *Response) parse(root ber.Element) error {
	if root.Tag != ber.TagSequence {
		return fmt.Errorf("tag %#02x is no TimeStampResp", root.Tag)
	}
	r := root.Children()
	info, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	failed, err := res.parseStatus(info)
	if err != nil {
		return err
	}
	granted := res.Status == Granted || res.Status == GrantedWithMods
	if r.Empty() {
		if granted {
			return errors.New("granted without a token")
		}
		return nil
	}
	token, err := r.Read(ber.TagSequence)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	if !granted || failed {
		return errors.New("a token beside a failure")
	}
	res.Token, err = ParseToken(token.Raw)
	return err
}

// parseStatus reads PKIStatusInfo and tells whether it has a failInfo.
func (res *Response) parseStatus(info ber.Element) (failed bool, err error) {
	r := info.Children()
	status, err := r.Read(ber.TagInteger)
	if err != nil {
		return false, err
	}
	n, err := status.Int64()
	if err != nil || n < 0 || n > int64(RevocationNotification) {
		return false, errors.New("unknown PKIStatus")
	}
	res.Status = PKIStatus(n)
	text, ok, err := r.Optional(ber.TagSequence)
	if err != nil {
		return false, err
	}
	if ok {
		var lines []string
		for in := text.Children(); !in.Empty(); {
			line, err := in.Read(ber.TagUTF8String)
			if err != nil {
				return false, err
			}
			s, err := line.Text()
			if err != nil {
				return false, err
			}
			lines = append(lines, s)
		}
		res.Text = strings.Join(lines, "; ")
	}
	failure, failed, err := r.Optional(ber.TagBitString)
	if err != nil {
		return false, err
	}
	if failed {
		content, _, err := failure.BitString()
		if err != nil {
			return false, err
		}
		if len(content) > 4 {
			return false, errors.New("bad PKIFailureInfo")
		}
		for i, b := range content {
			res.Failure |= FailureInfo(bits.Reverse8(b)) << (8 * i)
		}
	}
	return failed, r.Done()
}

// Check returns the token of a response if it answers the request: it was
// granted, over the same imprint, with the same nonce, under the policy asked
// for, and [Token.VerifySignature] holds.
func (res *Response) Check(req Request) (*Token, error) {
	if res.Token == nil {
		return nil, &RejectedError{Status: res.Status, Failure: res.Failure, Text: res.Text}
	}
	info := &res.Token.Info
	switch {
	case info.HashAlgorithm.OID != req.HashAlgorithm.OID || !info.HashAlgorithm.NoParams() || !bytes.Equal(info.HashedMessage, req.HashedMessage):
		return nil, ErrImprint
	case req.Nonce != nil && (info.Nonce == nil || info.Nonce.Cmp(req.Nonce) != 0):
		return nil, ErrNonce
	case req.Policy != "" && info.Policy != req.Policy:
		return nil, ErrPolicy
	}
	if err := res.Token.VerifySignature(); err != nil {
		return nil, err
	}
	return res.Token, nil
}
