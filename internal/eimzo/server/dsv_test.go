package server

import (
	"net/http"
	"strings"
	"testing"

	"imzo/internal/config"
	"imzo/internal/eimzo/dsv"
)

func soapCall(operation, argument, value string) string {
	return `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:v1="http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/"><soapenv:Body><v1:` +
		operation + `><` + argument + `>` + value + `</` + argument + `></v1:` + operation + `></soapenv:Body></soapenv:Envelope>`
}

func TestTheSOAPInterfaceIsOffUnlessConfigured(t *testing.T) {
	w := newWorld(t)
	if rec := w.call("GET", dsv.Path+"?wsdl", ""); rec.Code != http.StatusNotFound {
		t.Errorf("HTTP %d", rec.Code)
	}
	const token = "0123456789abcdef0123456789abcdef"
	w = newWorld(t, func(c *Config, _ *Deps) { c.DSV, c.BackendToken = true, config.NewSecret(token) })
	body := soapCall("verifyPkcs7", "pkcs7B64", b64(w.stamped(t, w.sign(t, "some document"))))
	if rec := w.call("POST", dsv.Path, body, "Content-Type", "text/xml"); rec.Code != http.StatusUnauthorized {
		t.Errorf("without the token of /backend: HTTP %d", rec.Code)
	}
	rec := w.call("POST", dsv.Path, body, "Content-Type", "text/xml", "Authorization", "Bearer "+token)
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"success":true`) || !strings.Contains(rec.Body.String(), `"pkcs7Info":{`) {
		t.Errorf("HTTP %d %.500s", rec.Code, rec.Body)
	}
	rec = w.call("POST", dsv.Path, soapCall("verifyPkcs7", "pkcs7B64", b64([]byte("no document"))), "Content-Type", "text/xml", "Authorization", "Bearer "+token)
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"success":false`) || !strings.Contains(rec.Body.String(), `"reason":"`) {
		t.Errorf("HTTP %d %.500s", rec.Code, rec.Body)
	}
	if rec := w.call("GET", dsv.Path+"?wsdl", "", "Authorization", "Bearer "+token); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "verifyPkcs7") {
		t.Errorf("HTTP %d %.300s", rec.Code, rec.Body)
	}
}
