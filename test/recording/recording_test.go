package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"html"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "draw docs/demo.svg anew of docs/demo.cast")

// sample is a run of the demo in short.
func sample() recording {
	second := time.Second
	return recording{
		{0, "        0 s  starting the trixie host: demo"},
		{60 * second, "       60 s  demo"},
		{61 * second, "  "},
		{61 * second, "  # systemctl start systemd-nspawn@web"},
		{70 * second, "ok   demo: web has booted"},
		{71 * second, "  "},
		{71 * second, "  # echo '<>'"},
		{71*second + 200*time.Millisecond, "  <>"},
		{100 * second, "      100 s  reboot inside"},
		{101 * second, "1 passed, 0 failed"},
	}
}

func TestLayout(t *testing.T) {
	want := []row{
		{0, "command", "# systemctl start systemd-nspawn@web"},
		{2500 * time.Millisecond, "ok", "✓ web has booted"},
		{3500 * time.Millisecond, "output", ""},
		{5000 * time.Millisecond, "command", "# echo '<>'"},
		{5200 * time.Millisecond, "output", "<>"},
		{7700 * time.Millisecond, "note", "reboot inside"},
	}
	if got := layout(sample()); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("ä", columns)
	for text, want := range map[string][]string{"": {""}, "a  ": {"a"}, long: {long}, long + "bc": {long, "bc"}} {
		if got := wrap(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Whatever is drawn is XML, and has every row.
func TestDraw(t *testing.T) {
	for _, r := range []recording{nil, sample()} {
		picture := draw(r)
		decoder := xml.NewDecoder(strings.NewReader(picture))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, picture)
			}
		}
		for _, l := range layout(r) {
			if l.text != "" && !strings.Contains(picture, ">"+html.EscapeString(l.text)+"</text>") {
				t.Errorf("no %q in %s", l.text, picture)
			}
		}
	}
}

func TestCast(t *testing.T) {
	text, err := sample().cast()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parse(text); err != nil || !slices.Equal(got, sample()) {
		t.Errorf("%v, %v from %s", got, err, text)
	}
	for _, bad := range []string{"", "{}", "{\"version\":2}\n[1]\n[", "{\"version\":2}\n[\"a\",\"o\",\"\"]"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is no cast, and was read", bad)
		}
	}
}

func TestFailure(t *testing.T) {
	good := sample()
	for _, test := range []struct {
		r    recording
		want string
	}{
		{nil, "did not end"},
		{good[:4], "did not end"},
		{append(slices.Clone(good[:4]), line{0, "1 passed, 1 failed"}), "did not end"},
		{append(slices.Clone(good[:4]), line{0, "FAIL demo: web has an address: no"}, good[9]), "web has an address"},
	} {
		if err := test.r.failure(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.r, err, test.want)
		}
	}
	if err := good.failure(); err != nil {
		t.Error(err)
	}
}

func TestRecord(t *testing.T) {
	now := time.Duration(0)
	var out strings.Builder
	got, err := record(strings.NewReader("a\nb\n"), &out, func() time.Duration { now += time.Second; return now })
	if want := (recording{{time.Second, "a"}, {2 * time.Second, "b"}}); err != nil || !slices.Equal(got, want) || out.String() != "a\nb\n" {
		t.Errorf("%v, %v, passed on %q", got, err, out.String())
	}
}

// The picture in the tree is that of the recording in the tree.
func TestPicture(t *testing.T) {
	cast, err := os.ReadFile("../../docs/demo.cast")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parse(string(cast))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.failure(); err != nil {
		t.Fatal(err)
	}
	want := draw(r)
	if *update {
		if err := os.WriteFile("../../docs/demo.svg", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("../../docs/demo.svg"); err != nil || string(got) != want {
		t.Errorf("docs/demo.svg is not of docs/demo.cast (%v): make golden", err)
	}
}
