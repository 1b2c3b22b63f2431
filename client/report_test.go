package client_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"imzo/client"
	"imzo/internal/testpki"
)

func TestReportsTellEverything(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	stamped, err := w.client.Timestamp(ctx, user, w.sign("some document"))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := w.client.Report(ctx, user, stamped.PKCS7)
	if err != nil {
		t.Fatal(err)
	}
	r := reply.Report
	if r.Indication != client.TotalPassed || !r.CheckedAt.Equal(w.Now) || r.Detached || r.ContentSize != 13 || len(r.Signers) != 1 {
		t.Fatalf("%+v", r)
	}
	s := r.Signers[0]
	if s.Indication != client.TotalPassed || s.SignerID.SerialNumber != w.user.Cert.SerialHex() || !s.SigningTime.Equal(w.Now) || !s.SigningDate.Equal(w.Now) || s.SigningDateSource != "timeStamp" ||
		s.Digest != "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" || s.Certificate == nil || !s.Certificate.NotAfter.Equal(w.user.Cert.NotAfter) ||
		len(s.Chain) == 0 || s.TrustAnchor == nil || len(s.Policies) == 0 || s.SignatureAlgorithm.OID == "" || s.DigestAlgorithm.OID == "" || s.Signature == "" {
		t.Errorf("%+v", s)
	}
	if s.Revocation == nil || s.Revocation.Status != "good" || len(s.Revocation.OCSPResponse) == 0 || !s.Revocation.ThisUpdate.Equal(w.Now) {
		t.Errorf("%+v", s.Revocation)
	}
	if len(s.TimeStamps) != 1 || !s.TimeStamps[0].Time.Equal(w.Now) || s.TimeStamps[0].Policy != "1.2.860.3.2.11.1" || len(s.TimeStamps[0].Checks) == 0 {
		t.Errorf("%+v", s.TimeStamps)
	}
	for _, check := range s.Checks {
		if check.Name == "" || check.Result == "failed" || check.Result == "" {
			t.Errorf("%+v", check)
		}
	}

	separate := w.signDetached("some document")
	reply, err = w.client.ReportDetached(ctx, user, strings.NewReader("some document"), separate)
	if err != nil || !reply.Report.Detached {
		t.Errorf("%+v %v", reply, err)
	}
	reply, err = w.client.ReportDetached(ctx, user, strings.NewReader("another document"), separate)
	if !errors.Is(err, client.DocumentSignatureInvalid) || reply.Report.Indication != client.TotalFailed || reply.Report.Signers[0].SubIndication == "" {
		t.Errorf("%+v %v", reply, err)
	}
	w.trust.SetDown(true)
	if reply, err := w.client.Report(ctx, user, separate); !errors.Is(err, client.DocumentSignatureInvalid) {
		t.Errorf("a detached document without its content: %+v %v", reply, err)
	}
	if reply, err := w.client.Report(ctx, user, w.sign("x")); !errors.Is(err, client.DocumentStatusUnknown) || reply.Report.Indication != client.Indeterminate {
		t.Errorf("no responder: %+v %v", reply, err)
	}
	if _, err := w.client.Report(ctx, user, "A|"); !errors.Is(err, client.ErrNotBase64) {
		t.Error(err)
	}
	if _, err := w.client.ReportDetached(ctx, user, strings.NewReader(""), ""); !errors.Is(err, client.ErrNotBase64) {
		t.Error(err)
	}
}

func TestReportsAreReadAsPages(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	page, err := w.client.ReportPage(ctx, user, "uz", w.sign("some document"))
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.Contains(page, []byte(`lang="uz"`)) {
		t.Errorf("%v %.300s", err, page)
	}
	page, err = w.client.ReportPageDetached(ctx, user, "", strings.NewReader("some document"), w.signDetached("some document"))
	if err != nil || !bytes.Contains(page, []byte(`lang="en"`)) { // that of Options
		t.Errorf("%v %.300s", err, page)
	}
	var answer *client.HTTPError
	if _, err := w.client.ReportPage(ctx, user, "xx", w.sign("x")); !errors.As(err, &answer) || answer.StatusCode != 400 {
		t.Error(err)
	}
	if _, err := w.client.ReportPage(ctx, user, "", "|"); !errors.Is(err, client.ErrNotBase64) {
		t.Error(err)
	}
	if _, err := w.client.ReportPageDetached(ctx, user, "", strings.NewReader(""), ""); !errors.Is(err, client.ErrNotBase64) {
		t.Error(err)
	}
}

func TestManyDocumentsAreVerifiedAtOnce(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	documents := []client.BatchDocument{
		{ID: "attached", PKCS7: w.sign("a")},
		{ID: "detached", PKCS7: w.signDetached("b"), Data: []byte("b")},
		{ID: "of nothing", PKCS7: w.signDetached(""), Data: []byte{}},
	}
	reply, err := w.client.VerifyBatch(ctx, user, documents)
	if err != nil || len(reply.Results) != 3 || string(reply.Results[0].PKCS7Info.Document) != "a" {
		t.Fatalf("%+v %v", reply, err)
	}
	stranger := testpki.New(t, "ozdst")
	documents = append(documents,
		client.BatchDocument{ID: "wrong", PKCS7: w.signDetached("b"), Data: []byte("c")},
		client.BatchDocument{ID: "strange", PKCS7: w.signAs(stranger.User(t, testpki.Person), "a", false)})
	reply, err = w.client.VerifyBatch(ctx, user, documents)
	if !errors.Is(err, client.DocumentSignatureInvalid) || len(reply.Results) != 5 {
		t.Fatalf("%+v %v", reply, err)
	}
	for i, want := range []error{nil, nil, nil, client.DocumentSignatureInvalid, client.DocumentCertificateInvalid} {
		if got := reply.Results[i].Err(); !errors.Is(got, want) || (got == nil) != (want == nil) || reply.Results[i].ID != documents[i].ID {
			t.Errorf("%s: %v, want %v", documents[i].ID, got, want)
		}
	}
	var answer *client.HTTPError
	if _, err := w.client.VerifyBatch(ctx, user, nil); !errors.As(err, &answer) || answer.StatusCode != 400 {
		t.Error(err)
	}
}

func TestDataIsVerifiedAsItComes(t *testing.T) {
	w := startWorld(t)
	pkcs7 := w.signDetached("some document")
	if reply, err := w.client.VerifyDetachedStream(t.Context(), user, strings.NewReader("some document"), pkcs7); err != nil || len(reply.PKCS7Info.Signers) != 1 {
		t.Errorf("%+v %v", reply, err)
	}
	reply, err := w.client.VerifyDetachedStream(t.Context(), user, strings.NewReader("another document"), pkcs7)
	if !errors.Is(err, client.DocumentSignatureInvalid) || reply.FailedSignerInfo == nil {
		t.Errorf("%+v %v", reply, err)
	}
}
