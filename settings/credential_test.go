package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain:text": "plain:text", `\a\b\f\n\r\t\v\s\\\"\'`: "\a\b\f\n\r\t\v \\\"'", `\x00\xff\000\377`: "\x00\xff\x00\xff",
		`\u00e4\U0001F600\u0000`: "ä😀\x00", "\xff\x00": "\xff\x00", `a\101b`: "aAb",
	} {
		if got, err := unescape(text); err != nil || string(got) != want {
			t.Errorf("unescape(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`\`, `a\`, `\e`, `\0`, `\8`, `\400`, `\x`, `\x1`, `\xg0`, `\x+1`, `\u12`, `\U00110000`, `\ud800`, `\08x`, `\+11`} {
		if got, err := unescape(text); err == nil {
			t.Errorf("unescape(%q) = %q, want an error", text, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	c, err := ParseCommandLine([]string{
		"--set-credential=a.b:x\\x00y:z", "--set-credential", "empty:", "--load-credential=file:/run/secret", "--load-cred=own:theirs", "--load-credential=cwd:./a",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Credential{
		{ID: "a.b", Value: []byte("x\x00y:z")}, {ID: "empty", Value: []byte{}}, {ID: "file", Source: "/run/secret"},
		{ID: "own", Source: "theirs"}, {ID: "cwd", Source: "./a"},
	}
	if !slices.EqualFunc(c.Credentials, want, func(a, b Credential) bool {
		return a.ID == b.ID && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil) && a.Source == b.Source
	}) {
		t.Errorf("got %#v", c.Credentials)
	}
}

// The message of a bad credential names the option and what is wrong, and never the secret.
func TestBadCredentials(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, test := range []struct{ option, text string }{
		{"--set-credential=secret", "--set-credential: has no ':'"},
		{"--set-credential=:secret", "--set-credential: the ID"},
		{"--set-credential=.:secret", "--set-credential: the ID"},
		{"--set-credential=..:secret", "--set-credential: the ID"},
		{"--set-credential=a/b:secret", "--set-credential: the ID"},
		{"--set-credential=a\\:secret", "--set-credential: the ID"},
		{"--set-credential=a\nb:secret", "--set-credential: the ID"},
		{"--set-credential=ä:secret", "--set-credential: the ID"},
		{"--set-credential=" + long + ":secret", "--set-credential: the ID"},
		{"--set-credential=a:secret\\q", "--set-credential: a: bad escape"},
		{"--set-credential=twice:secret", "--set-credential: there are two credentials twice"},
		{"--load-credential=a", "--load-credential=a: has no ':'"},
		{"--load-credential=a:", "--load-credential=a:: a:  is neither"},
		{"--load-credential=a:b\tc", "is neither a path"},
		{"--load-credential=twice:/a", "there are two credentials twice"},
	} {
		_, err := ParseCommandLine([]string{"--set-credential=twice:1", test.option})
		if err == nil || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", test.option, err)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	for line, want := range map[string]string{
		"-b --set-credential=a:s -M web": "-b -M web", "--set-cred a:s -q": "-q", "-bqM web --set-credential=a:s x": "-bqM web x",
		"-- --set-credential=a:s": "-- --set-credential=a:s", "sh --set-credential=a:s": "sh --set-credential=a:s",
		"--load-credential=a:/s --boot": "--load-credential=a:/s --boot", "--set-credential": "--set-credential",
	} {
		if got := strings.Join(withoutSecrets(strings.Fields(line)), " "); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{"", `a\n`, `\x00`, `\u00e4`, `\U0001F600`, `\377`, `\`, `\400`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, err := unescape(text)
		if err == nil && len(data) > len(text) {
			t.Errorf("%q grows to %q", text, data)
		}
		if escaped, err := unescape(strings.ReplaceAll(text, `\`, `\\`)); err != nil || string(escaped) != text {
			t.Errorf("%q comes back as %q, %v", text, escaped, err)
		}
	})
}
