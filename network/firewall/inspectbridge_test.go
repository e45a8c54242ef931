package firewall

import (
	"fmt"
	"strings"
	"testing"
)

// Each case is a forward chain with a policy and the conditions of rules; the answer is the rule that drops what passes a bridge, and the
// command that would allow it.
func TestInspectBridge(t *testing.T) {
	match := func(key, op, right string) string {
		return fmt.Sprintf(`{"match":{"op":%q,"left":{"meta":{"key":%q}},"right":%s}},`, op, key, right)
	}
	const accept, drop = `{"accept":null}`, `{"drop":null}`
	const command = `; to allow it: nft 'insert rule inet mine forward iifname "vz-app" oifname "vz-app" accept'`
	for name, test := range map[string]struct {
		policy string
		rules  []string
		want   string
	}{
		"policy":           {"drop", nil, "policy drop"},
		"accepted":         {"drop", []string{match("iifname", "==", `"vz-*"`) + accept}, ""},
		"accepted by set":  {"drop", []string{match("oifname", "==", `{"set":["eth0","vz-app"]}`) + accept}, ""},
		"another accepted": {"drop", []string{match("iifname", "==", `"ve-*"`) + accept, match("iifname", "==", `"eth0"`) + accept}, "policy drop"},
		"rule":             {"accept", []string{match("iifname", "==", `"vz-app"`) + match("oifname", "==", `"vz-app"`) + drop}, "rule with handle 10 in chain forward"},
		"to others only":   {"accept", []string{match("iifname", "==", `"vz-app"`) + match("oifname", "!=", `"vz-app"`) + drop}, ""},
	} {
		objects := []string{fmt.Sprintf(`{"chain":{"family":"inet","table":"mine","name":"forward","type":"filter","hook":"forward","policy":%q}}`, test.policy)}
		for i, rule := range test.rules {
			objects = append(objects, fmt.Sprintf(`{"rule":{"family":"inet","table":"mine","chain":"forward","handle":%d,"expr":[%s]}}`, 10+i, rule))
		}
		findings, err := InspectBridge([]byte(`{"nftables":[`+strings.Join(objects, ",")+`]}`), "vz-app", func(_, _ string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range findings {
			got += f.String()
		}
		want := ""
		if test.want != "" {
			want = "nft chain inet mine forward drops frames between containers on vz-app (" + test.want + ")" + command
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
