package mobile

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"imzo/internal/eimzo/mobile/phone"
)

const (
	// attemptTimeout bounds one upload: a server writes it to Redis and
	// answers. Slower ones get a second chance.
	attemptTimeout = 8 * time.Second
	connectTimeout = 4 * time.Second
	// firstPause doubles after each attempt, up to longestPause; a random part
	// of half keeps phones that failed together from coming back together.
	firstPause   = 200 * time.Millisecond
	longestPause = 4 * time.Second
	// maxSiteAnswer bounds the answer of a site, which has some 40 octets.
	maxSiteAnswer = 64 << 10
	// maxSiteMessage is how much of its message is told the phone, in
	// characters.
	maxSiteMessage = 500
)

// newHTTPClient is what uploads go through. Redirects are answers.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// uploader sends documents to sites.
type uploader struct {
	client  *http.Client
	attempt time.Duration // for one attempt
	pause   time.Duration // before the second
}

// send uploads a document until the site gives a definite answer or ctx is
// over. A repeated upload changes nothing, since it is the same to the
// octet.
func (u *uploader) send(ctx context.Context, site Site, s submission, document []byte, from netip.Addr) phone.Outcome {
	form := url.Values{
		"document_id":   {s.code.DocumentID},
		"pkcs7_b64":     {base64.StdEncoding.EncodeToString(document)},
		"serial_number": {s.serial},
		"x_real_ip":     {""},
	}
	if from.IsValid() {
		form.Set("x_real_ip", from.String())
	}
	body := form.Encode()
	var last phone.Outcome
	for pause, attempts := u.pause, 1; ; pause, attempts = min(2*pause, longestPause), attempts+1 {
		outcome, again := u.post(ctx, site.UploadURL, body, &phone.SiteAnswer{Attempts: attempts})
		if ctx.Err() != nil && last.Site != nil && last.Site.HTTPStatus != 0 && outcome.Site.HTTPStatus == 0 {
			// Our own time is over: what the site said before tells more.
			last.Site.Attempts = attempts
			return last
		}
		if !again {
			return outcome
		}
		last = outcome
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return outcome
		case <-timer.C:
		}
	}
}

// post makes one attempt. again tells that another one may help.
func (u *uploader) post(ctx context.Context, address, body string, answer *phone.SiteAnswer) (outcome phone.Outcome, again bool) {
	unreachable := func(err error) (phone.Outcome, bool) {
		return phone.Outcome{Code: phone.SiteUnreachable, Message: "the site did not answer: " + reason(err), Site: answer}, true
	}
	ctx, cancel := context.WithTimeout(ctx, u.attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return phone.Outcome{Code: phone.SiteUnreachable, Message: "the UPLOAD URL cannot be called", Site: answer}, false
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "imzo-mobile")
	client := *u.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	answer.HTTPStatus = response.StatusCode
	text, err := io.ReadAll(io.LimitReader(response.Body, maxSiteAnswer+1))
	if err != nil {
		return unreachable(err)
	}
	return judgeAnswer(response.StatusCode, text, answer)
}

// judgeAnswer tells what an answer of a site means. Beside that of the server,
// 200 with {"status":1,"message":null}, relays of sites' own making answer in
// other words: 2xx that does not say otherwise is a success too.
func judgeAnswer(code int, text []byte, answer *phone.SiteAnswer) (outcome phone.Outcome, again bool) {
	said, understood := readAnswer(text)
	if understood {
		answer.Status, answer.Message = said.number, printable(said.message)
	} else if code/100 != 2 {
		answer.Message = printable(string(text))
	}
	refused := func(format string, args ...any) (phone.Outcome, bool) {
		return phone.Outcome{Code: phone.SiteRefused, Message: fmt.Sprintf(format, args...), Site: answer}, false
	}
	switch {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return phone.Outcome{Code: phone.SiteUnreachable, Message: fmt.Sprintf("the site answers HTTP %d", code), Site: answer}, true
	case code/100 == 3:
		return refused("the UPLOAD URL redirects (HTTP %d), which is not followed", code)
	case code/100 != 2:
		return refused("the site answers HTTP %d", code)
	case len(text) > maxSiteAnswer:
		return refused("the site answers with more than %d octets: this is no UPLOAD URL", maxSiteAnswer)
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")):
		return refused("the site answers with a web page: this is no UPLOAD URL")
	case said.number != nil && *said.number == statusStore:
		return phone.Outcome{Code: phone.SiteUnreachable, Message: "the site's store of documents is down (status -1)", Site: answer}, true
	case said.number != nil && *said.number != 1:
		return refused("the site answers status %d", *said.number)
	case said.failure:
		return refused("the site answers that it failed")
	}
	return phone.Outcome{Accepted: true, Code: phone.Accepted, Message: "the site has the signature", Site: answer}, false
}

// siteWords is what the JSON of a site says.
type siteWords struct {
	number  *int // its status
	message string
	failure bool // it says so in another way
}

// readAnswer reads the JSON of a site, if it is any. Relays also write the
// status as text, or "success" as a boolean.
func readAnswer(text []byte) (said siteWords, ok bool) {
	var v struct {
		Status  any `json:"status"`
		Message any `json:"message"`
		Success any `json:"success"`
	}
	if len(text) > maxSiteAnswer || json.Unmarshal(text, &v) != nil {
		return said, false
	}
	said.message, _ = v.Message.(string)
	switch status := v.Status.(type) {
	case float64:
		if n := int(status); float64(n) == status {
			said.number = &n
		} else {
			said.failure = true
		}
	case string:
		if n, err := strconv.Atoi(status); err == nil {
			said.number = &n
		} else {
			said.failure = !strings.EqualFold(status, "ok") && !strings.EqualFold(status, "success")
		}
	case bool:
		said.failure = !status
	}
	if success, is := v.Success.(bool); is && !success {
		said.failure = true
	}
	return said, true
}

// statusStore is the status of a server whose Redis does not answer (guide,
// table 3.2.3).
const statusStore = -1

// reason is an error of the HTTP client without the address, which the phone
// need not know.
func reason(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	var dial *net.OpError
	if errors.As(err, &dial) {
		return "no connection"
	}
	return "broken answer"
}

// printable cuts a text of a stranger to what may be shown.
func printable(text string) string {
	var out []rune
	for _, r := range text {
		if len(out) == maxSiteMessage {
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		out = append(out, r)
	}
	return strings.TrimSpace(string(out))
}
