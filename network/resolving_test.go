package network

import (
	"fmt"
	"testing"
	"testing/fstest"
)

// A server with "%" is for the link of that name, alternative name or index, and a problem of all others: the servers without it stay. Router
// advertisements tell of the same servers.
func TestServersOfLinks(t *testing.T) {
	root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte("[Network]\nIPv6SendRA=yes\nDNS=10.0.0.53%ve-web 10.0.0.54:99%7#a.example\nDNS=fe80::53%ve-db-of-a-long-name 2001:db8::53\n")}}
	files, _ := ReadFiles(root, SearchPath())
	problem := func(line int, server string) string {
		return fmt.Sprintf("/etc/systemd/network/a.network:%d: warning: [Network] DNS=: %q is of another link than this one, of which systemd-resolved takes no servers: "+
			"name it in the .network file of that link, or in resolved.conf(5)", line, server)
	}
	web, seventh, db := problem(3, "10.0.0.53%ve-web"), problem(3, "10.0.0.54:99%7#a.example"), problem(4, "fe80::53%ve-db-of-a-long-name")
	for _, test := range []struct {
		link     Link
		want     string
		problems []string
	}{
		{Link{Name: "ve-web", Index: 7}, "[10.0.0.53 10.0.0.54:99#a.example 2001:db8::53] [2001:db8::53]", []string{db}},
		{Link{Name: "ve-dbABCD", AltNames: []string{"ve-db-of-a-long-name"}, Index: 8}, "[fe80::53 2001:db8::53] [fe80::53 2001:db8::53]", []string{web, seventh}},
		{Link{Name: "ve-x", Index: 9}, "[2001:db8::53] [2001:db8::53]", []string{web, seventh, db}},
		{Link{Name: "ve-web", Index: 7}, "[10.0.0.53 10.0.0.54:99#a.example 2001:db8::53] [2001:db8::53]", []string{db}},
	} {
		file, _ := files.Find(test.link)
		if got := fmt.Sprint(file.Config.Resolving.DNS, " ", file.Config.SendRA.DNS); got != test.want {
			t.Errorf("%s: %s, want %s", test.link.Name, got, test.want)
		}
		if fmt.Sprint(file.Problems) != fmt.Sprint(test.problems) {
			t.Errorf("%s: problems %v, want %v", test.link.Name, file.Problems, test.problems)
		}
	}
}
