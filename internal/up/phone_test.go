package up

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// photograph keeps a picture of an element, as a camera would see it.
func (v *visit) photograph(selector string) (file string) {
	v.t.Helper()
	picture, err := chromedp.Run(v.site, chromedp.Screenshot(selector))
	if err != nil {
		v.t.Fatal(err)
	}
	file = filepath.Join(v.t.TempDir(), "photograph.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		v.t.Fatal(err)
	}
	return file
}

// scans opens the phone in a tab of its own, and has it read the code that the
// site shows: from the picture, and from nothing else. The phone must show the
// hash that the site shows.
func (v *visit) scans(name string) (tab context.Context, close func()) {
	v.t.Helper()
	do(v.t, v.site, chromedp.WaitVisible("#qr svg"))
	v.shoot(v.site, name+"-code")
	picture := v.photograph("#qr svg")
	tab, close = chromedp.NewContext(v.site, chromedp.WithNewWindow(true))
	do(v.t, tab, chromedp.Navigate(v.r.phone+"?lang=en"), chromedp.WaitVisible("#scan"),
		chromedp.SetUploadFiles("#picture", []string{picture}), chromedp.WaitVisible("#request"))
	if shown, wanted := text(v.t, tab, "#groups"), text(v.t, v.site, "#phone-groups"); len(shown) != 64 || shown != wanted {
		v.t.Errorf("%s: the phone shows the hash %q, the site %q", name, shown, wanted)
	}
	v.shoot(tab, name+"-request")
	return tab, close
}

// signsByPhone goes on to a right PIN, and to the phone's result.
func (v *visit) signsByPhone(name string) (result string) {
	v.t.Helper()
	tab, close := v.scans(name)
	defer close()
	do(v.t, tab, chromedp.SendKeys("#pin", KeyPassword), chromedp.Click("#sign"), chromedp.WaitVisible("#result"))
	v.shoot(tab, name+"-result")
	return text(v.t, tab, "#result-text")
}

// TestAPersonLogsInAndSignsByPhone goes through both diagrams of the guide's
// chapter 3: the site's page in one tab, the phone in another, which reads the
// code from a picture of the first.
func TestAPersonLogsInAndSignsByPhone(t *testing.T) {
	v := newVisit(t)
	do(t, v.site, chromedp.WaitReady("#key option"))

	// The person thinks better of it, then mistypes the PIN, then logs in.
	do(t, v.site, chromedp.Click("#phone-login"), chromedp.WaitVisible("#qr svg"), chromedp.Click("#phone-cancel"), chromedp.WaitVisible("#login-message.bad"))
	cancelled := text(t, v.site, "#login-message")
	do(t, v.site, chromedp.Click("#phone-login"))
	tab, close := v.scans("20-phone-login")
	site, domain := text(t, tab, "#site"), text(t, tab, "#domain")
	do(t, tab, chromedp.SendKeys("#pin", "999999"), chromedp.Click("#sign"), chromedp.WaitVisible("#error"))
	wrongPIN := text(t, tab, "#error")
	do(t, tab, chromedp.SendKeys("#pin", KeyPassword), chromedp.Click("#sign"), chromedp.WaitVisible("#result"))
	signed := text(t, tab, "#result-text")
	v.shoot(tab, "21-phone-login-result")
	close()
	do(t, v.site, chromedp.WaitVisible("#login-message.good"))
	person := text(t, v.site, "#person-data")
	v.shoot(v.site, "22-phone-logged-in")

	// A text beyond ASCII, then a file.
	do(t, v.site, chromedp.SetValue("#text", "Shartnoma № 7: ғалаба"), chromedp.Click("#phone-sign"))
	textResult := v.signsByPhone("23-phone-text")
	do(t, v.site, chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	textAnswer := v.answer()
	v.shoot(v.site, "24-phone-text-signed")
	file := filepath.Join(t.TempDir(), "contract.pdf")
	if err := os.WriteFile(file, []byte("%PDF-1.7\n\x00\x01"+strings.Repeat("a contract ", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, v.site, chromedp.SetUploadFiles("#file", []string{file}), chromedp.Click("#phone-sign"))
	v.signsByPhone("25-phone-file")
	do(t, v.site, chromedp.WaitVisible("#result"), chromedp.WaitVisible("#sign-message.good"))
	fileAnswer, checks := v.answer(), text(t, v.site, "#checks")
	v.shoot(v.site, "26-phone-file-signed")

	for what, ok := range map[string]bool{
		"giving up is told":                  strings.Contains(cancelled, "Cancelled"),
		"the phone names the site":           site == "Imzo demo" && domain == "127.0.0.1",
		"a wrong PIN is told, with the rest": strings.Contains(wrongPIN, "4"),
		"the phone tells of success":         signed != "" && signed == textResult,
		"the person is shown":                strings.Contains(person, "IVANOV") && strings.Contains(person, "30000000000001"),
		"the text has a timestamp":           textAnswer.VerificationInfo.TimestampedTime != "" && textAnswer.VerificationInfo.SigningTime != "",
		"the text is signed by the person":   textAnswer.SubjectCertificateInfo.SubjectName["CN"] == "IVANOV IVAN IVANOVICH",
		"documents differ":                   fileAnswer.Pkcs7Attached != "" && fileAnswer.Pkcs7Attached != textAnswer.Pkcs7Attached,
		"the kept document stands by itself": strings.Contains(checks, "(valid)") && strings.Contains(checks, "Timestamp") && !strings.Contains(checks, "rightNO") && !strings.Contains(checks, "signingNO"),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	if t.Failed() {
		t.Logf("cancelled %q, site %q, domain %q\nPIN %q\nsigned %q\nperson %q\nchecks %q", cancelled, site, domain, wrongPIN, signed, person, checks)
	}
}

// mobileAnswer is what /backend/mobile/verify gave.
type mobileAnswer struct {
	Status                 int
	Pkcs7Attached          string
	SubjectCertificateInfo struct{ SubjectName map[string]string }
	VerificationInfo       struct{ SigningTime, TimestampedTime string }
}

func (v *visit) answer() (a mobileAnswer) {
	v.t.Helper()
	if err := json.Unmarshal([]byte(text(v.t, v.site, "#answer")), &a); err != nil {
		v.t.Fatal(err)
	}
	return a
}
