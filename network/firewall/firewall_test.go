package firewall

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What iptables-save printed on hosts, and what is to be done there: testdata/NAME.save and NAME.plan.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/*.save")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		version := 4
		if strings.Contains(path, "6") {
			version = 6
		}
		table := ParseSave(string(text))
		plan := table.Plan(version, true)
		golden := strings.TrimSuffix(path, "save") + "plan"
		if *update {
			if err := os.WriteFile(golden, []byte(plan), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || plan != string(want) {
			t.Errorf("%s: %v, got:\n%s\nwant:\n%s", path, err, plan, want)
		}
		after := apply(t, string(text), plan)
		if again := after.Plan(version, true); again != "" {
			t.Errorf("%s: not settled:\n%s", path, again)
		}
		without := apply(t, after.String(), after.Plan(version, false))
		if strings.Contains(without.String(), ` "`+CommentPrefix) {
			t.Errorf("%s: rules are left: %v", path, without)
		}
	}
}

// apply does what iptables-restore --noflush does.
func apply(t *testing.T, save, plan string) Table {
	t.Helper()
	table := ParseSave(save)
	for line := range strings.Lines(plan) {
		words := split(strings.TrimSpace(line))
		switch words[0] {
		case "-D":
			chain := table.Chain(words[1])
			i := slices.IndexFunc(chain.Rules, func(r Rule) bool { return slices.Equal(r, words[2:]) })
			chain.Rules = slices.Delete(chain.Rules, i, i+1)
		case "-I":
			chain, place := table.Chain(words[1]), 0
			if _, err := fmt.Sscan(words[2], &place); err != nil || place > len(chain.Rules)+1 {
				t.Fatalf("%s: %v", line, err)
			}
			chain.Rules = slices.Insert(chain.Rules, place-1, Rule(words[3:]))
		}
	}
	return table
}

func (t Table) String() string {
	text := "*filter\n"
	for _, c := range t.Chains {
		text += ":" + c.Name + " " + c.Policy + " [0:0]\n"
	}
	for _, c := range t.Chains {
		for _, r := range c.Rules {
			text += "-A " + c.Name + " " + join(r) + "\n"
		}
	}
	return text
}

func FuzzParseSave(f *testing.F) {
	f.Add("*filter\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -m comment --comment \"a \\\"b\\\\ \" -j RETURN\nCOMMIT\n")
	f.Add("*nat\n-A X\n*filter\n:X\n:Y - \n-A Y \"\n-A Y -i\n")
	f.Fuzz(func(t *testing.T, text string) {
		table := ParseSave(text)
		if again := ParseSave(table.String()); again.String() != table.String() && !strings.ContainsAny(text, "\r\v\f\t\u0085\u00a0") {
			t.Errorf("%q, then %q", table.String(), again.String())
		}
		table.Plan(4, true)
	})
}

// filters is a host with one packet filter.
type filters struct {
	text               string
	listErr, changeErr error
	t                  *testing.T
}

func (f *filters) Backends() ([]Backend, error) { return []Backend{{Version: 4}}, f.listErr }
func (f *filters) Save(Backend) (string, error) { return f.text, nil }
func (f *filters) Restore(_ Backend, plan string) error {
	if f.changeErr == nil {
		f.text = apply(f.t, f.text, plan).String()
	}
	return f.changeErr
}

func TestKeeper(t *testing.T) {
	host := &filters{t: t, text: "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\nCOMMIT\n"}
	var said []string
	k := NewKeeper(host, func(text string, err error) { said = append(said, fmt.Sprint(text, err)) })
	expect := func(well bool, want ...string) {
		t.Helper()
		if said = nil; k.Look() != well || !slices.Equal(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
	}
	expect(true)
	k.Want(true)
	ruleset := `{"nftables":[{"chain":{"family":"inet","table":"firewalld_policy_drop","name":"c","type":"filter","hook":"forward","policy":"drop"}},
		{"chain":{"family":"inet","table":"a","name":"b","type":"filter","hook":"forward","policy":"drop"}}]}`
	k.Ruleset = func() ([]byte, error) { return []byte(ruleset), nil }
	var warned []string
	k.Warn = func(text string) { warned = append(warned, text) }
	defer func() {
		if len(warned) != 3 || !strings.Contains(warned[0], "inet a b") || !strings.HasPrefix(warned[2], "read the nft ruleset: ") {
			t.Errorf("warned %q", warned) // once
		}
	}()
	const added = "iptables-nft: added rules to DOCKER-USER, so that packets of containers pass<nil>"
	host.changeErr = errors.New("locked")
	expect(false, "let packets of containers pass: locked")
	expect(false) // once
	host.changeErr = nil
	expect(true, added)
	expect(true)
	host.text = "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\nCOMMIT\n" // flushed
	expect(true, added)
	host.listErr = errors.New("no netlink")
	expect(false, "no netlink")
	host.listErr = nil
	ruleset = "{"
	expect(true)
	k.Want(false)
	expect(true, "iptables-nft: removed our rules<nil>")
	if strings.Contains(host.text, CommentPrefix) {
		t.Errorf("left: %s", host.text)
	}
}

// Nothing is changed while somebody holds the lock of those who change rules, and the lock is held meanwhile.
func TestHold(t *testing.T) {
	host := &filters{t: t, text: "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\nCOMMIT\n"}
	before, refusals, holds := host.text, 3, 0
	ctx, cancel := context.WithCancel(t.Context())
	k := NewKeeper(host, func(text string, err error) {
		if holds != 1 {
			t.Errorf("%q, %v without the lock", text, err)
		}
	})
	k.Hold = func() (func(), bool) {
		if refusals--; refusals >= 0 {
			if host.text != before {
				t.Error("changed while somebody held the lock")
			}
			return nil, false
		}
		holds++
		return func() { holds--; cancel() }, true
	}
	k.Want(true)
	if k.Run(ctx); holds != 0 || !strings.Contains(host.text, CommentPrefix) {
		t.Errorf("held %d times at the end: %s", holds, host.text)
	}
	if k.Finish(); !strings.Contains(host.text, CommentPrefix) {
		t.Error("what is wanted is gone at the end")
	}
	k.Want(false)
	if k.Finish(); holds != 0 || strings.Contains(host.text, CommentPrefix) {
		t.Errorf("held %d times, left at the end: %s", holds, host.text)
	}
}

// While somebody holds the lock, a look waits as long as rules change, but not for one who does nothing.
func TestHoldPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		k := NewKeeper(&filters{t: t}, func(string, error) {})
		k.Hold = func() (func(), bool) { return nil, false }
		for _, test := range []struct{ changing, least, most time.Duration }{
			{0, patient, patient + 2*quiet},
			{30 * time.Second, 30*time.Second + patient, 30*time.Second + patient + 2*quiet},
			{time.Hour, longest, longest + 2*quiet},
		} {
			began := time.Now()
			over, stop := context.WithTimeout(ctx, test.changing)
			go func() {
				for over.Err() == nil {
					k.Changed()
					time.Sleep(quiet / 2)
				}
			}()
			_, ok := k.settle(ctx)
			stop()
			if took := time.Since(began); !ok || took < test.least || took > test.most {
				t.Errorf("changing for %v: %v, after %v", test.changing, ok, took)
			}
			synctest.Wait()
			time.Sleep(quiet)
			for len(k.changed) > 0 {
				<-k.changed
			}
		}
	})
}

// Once no rules are wanted and none are left, changes of others are nothing to look at.
func TestKeeperRests(t *testing.T) {
	host := &filters{t: t, text: "*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n"}
	k := NewKeeper(host, func(string, error) {})
	due := func(when string, want bool) {
		t.Helper()
		k.Changed()
		if got := len(k.changed) == 1; got != want {
			t.Errorf("%s: a look is due: %v", when, got)
		}
		for len(k.changed) > 0 {
			<-k.changed
		}
	}
	due("before the first look", true)
	host.listErr = errors.New("no netlink")
	k.Look()
	due("after a failure", true)
	host.listErr = nil
	k.Look()
	due("none wanted", false)
	k.Want(true)
	k.Look()
	due("wanted", true)
	k.Want(false)
	due("to be removed", true)
	k.Look()
	due("removed", false)
}
