package ra

import (
	"net/netip"
	"testing"

	"github.com/mdlayher/ndp"
)

func TestCheckSolicitation(t *testing.T) {
	source, none := netip.MustParseAddr("fe80::5"), netip.IPv6Unspecified()
	address := []byte{1, 1, 2, 0, 0, 0, 0, 1}
	message := func(options ...byte) []byte { return append([]byte{133, 0, 0, 0, 0, 0, 0, 0}, options...) }
	for _, test := range []struct {
		name    string
		message []byte
		source  netip.Addr
		ok      bool
	}{
		{"plain", message(), source, true},
		{"with an address", message(address...), source, true},
		{"without a source", message(), none, true},
		{"an address without a source", message(address...), none, false},
		{"an unknown option", message(200, 1, 0, 0, 0, 0, 0, 0), none, true},
		{"empty", nil, source, false},
		{"short", message()[:7], source, false},
		{"an advertisement", append([]byte{134}, message()[1:]...), source, false},
		{"a code", append([]byte{133, 1}, message()[2:]...), source, false},
		{"an option without a length", message(1, 0, 0, 0, 0, 0, 0, 0), source, false},
		{"half an option", message(1, 1, 0, 0), source, false},
		{"a longer option", message(1, 2, 0, 0, 0, 0, 0, 0), source, false},
		{"one byte of an option", message(1), source, false},
	} {
		if err := checkSolicitation(test.message, test.source); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Whatever comes, nothing breaks; what another implementation refuses as a message is refused, too.
func FuzzCheckSolicitation(f *testing.F) {
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1}, false)
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 0}, true)
	f.Fuzz(func(t *testing.T, message []byte, unspecified bool) {
		source := netip.MustParseAddr("fe80::5")
		if unspecified {
			source = netip.IPv6Unspecified()
		}
		if checkSolicitation(message, source) != nil {
			return
		}
		parsed, err := ndp.ParseMessage(message)
		if err != nil {
			return // options that do not matter here may be malformed inside
		}
		if _, ok := parsed.(*ndp.RouterSolicitation); !ok {
			t.Errorf("%T passes for a solicitation", parsed)
		}
	})
}
