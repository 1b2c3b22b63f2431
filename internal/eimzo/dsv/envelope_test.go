package dsv

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	head = `<S:Envelope xmlns:S="` + soapNamespace + `" xmlns:n="` + serviceNamespace + `"><S:Body>`
	tail = `</S:Body></S:Envelope>`
)

func TestWhatIsNoCallGetsAFault(t *testing.T) {
	argument := `<n:verifyPkcs7><pkcs7B64>AA==</pkcs7B64></n:verifyPkcs7>`
	if _, err := readCall([]byte(head + argument + tail)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ body, code, text string }{
		"nothing":                  {"", "Client", "no XML"},
		"JSON":                     {`{"pkcs7":"AA=="}`, "Client", "text where"},
		"base64":                   {"MIAGCSqGSIb3DQEHAqCA", "Client", "text where"},
		"HTML":                     {"<html><body>x</body></html>", "Client", "no SOAP envelope"},
		"a cut envelope":           {head + argument, "Client", "no XML"},
		"a cut tag":                {head + "<n:verifyPkcs7", "Client", "does not end"},
		"crossed tags":             {head + "<n:verifyPkcs7></S:Body></n:verifyPkcs7></S:Envelope>", "Client", "no XML"},
		"an envelope of SOAP 1.2":  {`<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/></e:Envelope>`, "VersionMismatch", "not of SOAP 1.1"},
		"an envelope of nobody":    {`<Envelope><Body/></Envelope>`, "VersionMismatch", "not of SOAP 1.1"},
		"no body":                  {`<S:Envelope xmlns:S="` + soapNamespace + `"/>`, "Client", "no body"},
		"a header alone":           {`<S:Envelope xmlns:S="` + soapNamespace + `"><S:Header/></S:Envelope>`, "Client", "no body"},
		"an empty body":            {head + tail, "Client", "body is empty"},
		"text in the body":         {head + "AA==" + tail, "Client", "text where"},
		"an unknown namespace":     {head + `<verifyPkcs7 xmlns="urn:x"><pkcs7B64>AA==</pkcs7B64></verifyPkcs7>` + tail, "Client", "Cannot find dispatch method for {urn:x}verifyPkcs7"},
		"no namespace":             {head + `<verifyPkcs7><pkcs7B64>AA==</pkcs7B64></verifyPkcs7>` + tail, "Client", "Cannot find dispatch method for {}verifyPkcs7"},
		"two operations":           {head + argument + argument + tail, "Client", "more than one operation"},
		"an argument twice":        {head + `<n:verifyPkcs7><pkcs7B64>AA==</pkcs7B64><pkcs7B64>AQ==</pkcs7B64></n:verifyPkcs7>` + tail, "Client", "twice"},
		"an argument of elements":  {head + `<n:verifyPkcs7><pkcs7B64><a/></pkcs7B64></n:verifyPkcs7>` + tail, "Client", "is not text"},
		"text beside arguments":    {head + `<n:verifyPkcs7>x<pkcs7B64>AA==</pkcs7B64></n:verifyPkcs7>` + tail, "Client", "text where"},
		"something behind":         {head + argument + tail + "<x/>", "Client", "goes on"},
		"text behind":              {head + argument + tail + "x", "Client", "text where"},
		"a header to understand":   {strings.Replace(head, "<S:Body>", `<S:Header><x:Security xmlns:x="urn:x" S:mustUnderstand="1"/></S:Header><S:Body>`, 1) + argument + tail, "MustUnderstand", `"Security"`},
		"a document type":          {`<!DOCTYPE x>` + head + argument + tail, "Client", "document type"},
		"an external entity":       {`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + head + `<n:verifyPkcs7><pkcs7B64>&e;</pkcs7B64></n:verifyPkcs7>` + tail, "Client", "document type"},
		"entities within entities": {`<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>` + head + argument + tail, "Client", "document type"},
		"an entity nobody defined": {head + `<n:verifyPkcs7><pkcs7B64>&e;</pkcs7B64></n:verifyPkcs7>` + tail, "Client", "no XML"},
		"a processing instruction": {`<?php echo 1 ?>` + head + argument + tail, "Client", "processing instruction"},
		"an attribute without end": {`<S:Envelope xmlns:S="` + strings.Repeat("x", maxMarkup), "Client", "does not end"},
		"a tag within a tag":       {`<S:Envelope <x/>`, "Client", "does not end"},
		"a comment without end":    {`<!-- ` + head + argument + tail, "Client", "does not end"},
		"CDATA without end":        {head + `<n:verifyPkcs7><pkcs7B64><![CDATA[AA==</pkcs7B64>`, "Client", "CDATA"},
		"UTF-16":                   {"\xff\xfe<\x00x\x00", "Client", ""},
		"UTF-16 by its name":       {`<?xml version="1.0" encoding="UTF-16"?>` + head + argument + tail, "Client", "send UTF-8"},
		"octets that are no UTF-8": {head + "<n:verifyPkcs7><pkcs7B64>\xff\xfe</pkcs7B64></n:verifyPkcs7>" + tail, "Client", "no XML"},
	} {
		_, err := readCall([]byte(c.body))
		var f *fault
		if !errors.As(err, &f) || f.code != c.code || !strings.Contains(f.text, c.text) {
			t.Errorf("%s: %+v, want %s %q", name, err, c.code, c.text)
		}
	}
}

func TestCharactersOutsideOfASCIIAreNotTakenForASCII(t *testing.T) {
	c, err := readCall([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>` + head + "<n:verifyPkcs7><pkcs7B64>A\xe9=</pkcs7B64></n:verifyPkcs7>" + tail))
	if err != nil || c.arguments["pkcs7B64"] != "A?=" {
		t.Errorf("%+v %v", c, err)
	}
}

// What a parser would need gigabytes or hours for is refused at once.
func TestHostileXMLCostsLittle(t *testing.T) {
	const size = 16 << 20
	fill := func(start, unit string) []byte {
		return []byte(start + strings.Repeat(unit, (size-len(start))/len(unit)))
	}
	for name, body := range map[string][]byte{
		"attributes":     fill(`<S:Envelope`, ` a="b"`),
		"namespaces":     fill(`<S:Envelope`, ` xmlns:a="b"`),
		"deep elements":  fill("", "<a>"),
		"many elements":  fill("<a>", "<b/>"),
		"many comments":  fill("<a>", "<!---->"),
		"empty CDATA":    fill("<a>", "<![CDATA[]]>"),
		"instructions":   fill("<a>", "<?x?>"),
		"hidden behind":  fill(`<?x ' ?><y a=' >`, ` b="'"`),
		"a long name":    fill("<", "a"),
		"header entries": fill(`<S:Envelope xmlns:S="`+soapNamespace+`"><S:Header>`, `<a/>`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := readCall(body)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: taken for a call", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 || took > 2*time.Second {
			t.Errorf("%s: %d octets, %s", name, used, took)
		}
	}
}

func TestDepthIsCountedInHeadersToo(t *testing.T) {
	deep := strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth)
	body := strings.Replace(head, "<S:Body>", "<S:Header>"+deep+"</S:Header><S:Body>", 1) + "<n:createPkcs7/>" + tail
	if _, err := readCall([]byte(body)); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Error(err)
	}
	body = strings.Replace(head, "<S:Body>", "<S:Header><a>x<b/>y</a></S:Header><S:Body>", 1) + "<n:createPkcs7/>" + tail
	if c, err := readCall([]byte(body)); err != nil || c.operation != "createPkcs7" {
		t.Error(c, err)
	}
}

// What is read can be written again and reads the same, and the bounds hold
// for everything that is read.
func FuzzReadCall(f *testing.F) {
	for _, o := range operations {
		f.Add([]byte(envelope(o.name, []string{"QQ==", "Qg=="}[:len(o.arguments)]...)))
	}
	f.Add([]byte(envelope("verifyPkcs7", " AA==\n")))
	f.Add([]byte(envelope("verifyPkcs7Detached", "QQ==", "<![CDATA[Qg==]]>")))
	f.Add([]byte(`<?xml version="1.0" encoding="windows-1251"?><!-- x -->` + head + `<n:verifyPkcs7><pkcs7B64 a=">">&#65;&amp;</pkcs7B64></n:verifyPkcs7>` + tail))
	f.Add([]byte(strings.Replace(head, "<S:Body>", `<S:Header><a S:mustUnderstand="0">x</a></S:Header><S:Body>`, 1) + "<n:createPkcs7/>" + tail))
	f.Add([]byte("<a " + strings.Repeat("\xff", 4000) + ">")) // named in what the parser says
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := readCall(body)
		if err != nil {
			var f *fault
			if !errors.As(err, &f) || len(f.text) > 1000 {
				t.Fatalf("%T %.2000s", err, err)
			}
			return
		}
		if n := strings.Count(string(body), "<"); n > maxTags && !strings.Contains(string(body), "<![CDATA[") {
			t.Fatalf("%d tags", n)
		}
		var again strings.Builder
		again.WriteString(head + "<n:" + c.operation + ">")
		for name, text := range c.arguments {
			var escaped strings.Builder
			if err := xml.EscapeText(&escaped, []byte(text)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&again, "<%s>%s</%[1]s>", name, escaped.String())
		}
		again.WriteString("</n:" + c.operation + ">" + tail)
		back, err := readCall([]byte(again.String()))
		if err != nil || back.operation != c.operation || !maps.Equal(back.arguments, c.arguments) {
			t.Fatalf("%+v, then %+v %v", c, back, err)
		}
	})
}
