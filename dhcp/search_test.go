package dhcp

import (
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	config := vethConfig()
	for _, test := range []struct {
		domain string
		search []string
		want   string
	}{
		{"", nil, ""},
		{"", []string{"nspawn.internal", "a.b"}, "\x06nspawn\x08internal\x00\x01a\x01b\x00"},
		{strings.Repeat("a", 180), []string{"nspawn.internal"}, ""}, // no room
	} {
		config.Domain, config.Search = test.domain, test.search
		options, err := config.replyOptions()
		if got := string(options[optionDomainSearch]); err != nil || got != test.want {
			t.Errorf("%q: %q, want %q", test.search, got, test.want)
		}
	}
	config.Search = []string{"a..b"}
	if _, err := New(config); err == nil {
		t.Error("an empty label: no error")
	}
}
