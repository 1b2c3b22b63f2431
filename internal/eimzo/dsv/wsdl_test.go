package dsv

import (
	"crypto/tls"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// definitions are the parts of a WSDL that clients make calls from.
type definitions struct {
	Namespace string `xml:"targetNamespace,attr"`
	Name      string `xml:"name,attr"`
	Types     struct {
		Schema struct {
			Elements []struct {
				Name string `xml:"name,attr"`
				Type string `xml:"type,attr"`
			} `xml:"element"`
			Types []struct {
				Name     string `xml:"name,attr"`
				Elements []struct {
					Name string `xml:"name,attr"`
					Type string `xml:"type,attr"`
				} `xml:"sequence>element"`
			} `xml:"complexType"`
		} `xml:"http://www.w3.org/2001/XMLSchema schema"`
	} `xml:"types"`
	Messages []struct {
		Name string `xml:"name,attr"`
		Part struct {
			Element string `xml:"element,attr"`
		} `xml:"part"`
	} `xml:"message"`
	PortType struct {
		Name       string `xml:"name,attr"`
		Operations []struct {
			Name  string `xml:"name,attr"`
			Input struct {
				Message string `xml:"message,attr"`
			} `xml:"input"`
			Output struct {
				Message string `xml:"message,attr"`
			} `xml:"output"`
		} `xml:"operation"`
	} `xml:"portType"`
	Binding struct {
		Type string `xml:"type,attr"`
		Soap struct {
			Style     string `xml:"style,attr"`
			Transport string `xml:"transport,attr"`
		} `xml:"http://schemas.xmlsoap.org/wsdl/soap/ binding"`
		Operations []struct {
			Name string `xml:"name,attr"`
		} `xml:"operation"`
	} `xml:"binding"`
	Service struct {
		Name string `xml:"name,attr"`
		Port struct {
			Name    string `xml:"name,attr"`
			Address struct {
				Location string `xml:"location,attr"`
			} `xml:"http://schemas.xmlsoap.org/wsdl/soap/ address"`
		} `xml:"port"`
	} `xml:"service"`
}

func getWSDL(t *testing.T, o Options, change func(*http.Request)) definitions {
	t.Helper()
	r := httptest.NewRequest("GET", "http://example.uz:9090"+Path+"?WSDL", nil)
	change(r)
	rec := httptest.NewRecorder()
	New(o).ServeHTTP(rec, r)
	var d definitions
	if err := xml.Unmarshal(rec.Body.Bytes(), &d); err != nil || rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Fatalf("HTTP %d %v %s", rec.Code, err, rec.Body)
	}
	return d
}

func TestWSDLDescribesTheOperationsThatAreAnswered(t *testing.T) {
	d := getWSDL(t, Options{}, func(*http.Request) {})
	if d.Namespace != serviceNamespace || d.Service.Name != "Pkcs7Service" || d.Service.Port.Name != "Pkcs7Port" || d.PortType.Name != "Pkcs7" ||
		d.Binding.Type != "tns:Pkcs7" || d.Binding.Soap.Style != "document" || d.Binding.Soap.Transport != "http://schemas.xmlsoap.org/soap/http" {
		t.Errorf("%+v", d)
	}
	if len(d.PortType.Operations) != len(operations) || len(d.Binding.Operations) != len(operations) || len(d.Messages) != 2*len(operations) || len(d.Types.Schema.Elements) != 2*len(operations) {
		t.Fatalf("%+v", d)
	}
	for i, o := range operations {
		if p := d.PortType.Operations[i]; p.Name != o.name || p.Input.Message != "tns:"+o.name || p.Output.Message != "tns:"+o.name+"Response" || d.Binding.Operations[i].Name != o.name {
			t.Errorf("%+v", p)
		}
		for suffix, want := range map[string][]string{"": o.arguments, "Response": {"return"}} {
			name := o.name + suffix
			var got []string
			for _, typ := range d.Types.Schema.Types {
				if typ.Name == name {
					for _, e := range typ.Elements {
						got = append(got, e.Name)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s has %v, want %v", name, got, want)
			}
			if !slices.ContainsFunc(d.Messages, func(m struct {
				Name string `xml:"name,attr"`
				Part struct {
					Element string `xml:"element,attr"`
				} `xml:"part"`
			}) bool {
				return m.Name == name && m.Part.Element == "tns:"+name
			}) {
				t.Errorf("no message %s", name)
			}
		}
	}
}

func TestWSDLNamesTheAddressItWasAskedAt(t *testing.T) {
	for want, change := range map[string]func(*http.Request){
		"http://example.uz:9090" + Path:  func(*http.Request) {},
		"https://example.uz:9090" + Path: func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		"https://dsv.uz" + Path:          func(r *http.Request) { r.Host = "dsv.uz"; r.Header.Set("X-Forwarded-Proto", "https") },
		`http://"><x>` + Path:            func(r *http.Request) { r.Host = `"><x>` },
	} {
		if got := getWSDL(t, Options{}, change).Service.Port.Address.Location; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := getWSDL(t, Options{Address: "https://x/a?b=c&d"}, func(*http.Request) {}).Service.Port.Address.Location; got != "https://x/a?b=c&d" {
		t.Error(got)
	}
}
