package dhcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// memory is a Store that can fail.
type memory struct {
	content []byte
	exists  bool
	fail    error
}

func (m *memory) Open() (io.ReadCloser, error) {
	if !m.exists {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(m.content)), nil
}

// Append leaves half of the lines behind when it fails, as a full disk does.
func (m *memory) Append(lines []byte) error {
	if m.fail != nil {
		lines = lines[:len(lines)/2]
	}
	m.content, m.exists = append(m.content, lines...), true
	return m.fail
}

func (m *memory) Replace(write func(io.Writer) error) error {
	if m.fail != nil {
		return m.fail
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	m.content, m.exists = b.Bytes(), true
	return nil
}

// open reads the journal of store into a new server of config.
func open(t testing.TB, store Store, config Config) (*Journal, *Server, []error) {
	t.Helper()
	server := newServer(t, config)
	journal, problems, err := OpenJournal(store, "ve-web.leases", server, start())
	if err != nil {
		t.Fatal(err)
	}
	return journal, server, problems
}

// wide is a configuration with room for many.
func wide() Config {
	config := vethConfig()
	config.ServerAddress = netip.MustParsePrefix("10.0.0.1/16")
	return config
}

// lend makes client n's lease and commits it.
func lend(t testing.TB, server *Server, journal *Journal, n int) {
	t.Helper()
	address := obtain(t, server, start(), mac(n))
	if err := journal.Commit([]Lease{leaseOf(server, address.String())}); err != nil {
		t.Fatal(err)
	}
}

func leaseOf(server *Server, address string) Lease {
	for lease := range server.Leases() {
		if lease.Address.String() == address {
			return lease
		}
	}
	return Lease{}
}

func leasesOf(server *Server) []Lease { return slices.Collect(server.Leases()) }

func TestJournalKeepsLeases(t *testing.T) {
	store := File(filepath.Join(t.TempDir(), "ve-web.leases"))
	journal, server, problems := open(t, store, wide())
	for n := range 50 {
		lend(t, server, journal, n)
	}
	if err := journal.Compact(); err != nil {
		t.Fatal(err)
	}
	for n := range 60 {
		lend(t, server, journal, n)
	}
	_, again, more := open(t, store, wide())
	if len(problems) != 0 || len(more) != 0 {
		t.Errorf("problems %v, %v", problems, more)
	}
	if got, want := leasesOf(again), leasesOf(server); !reflect.DeepEqual(got, want) || len(got) != 60 {
		t.Errorf("read %v, want %v", got, want)
	}
}

// A crash may cut the file anywhere: all leases before the cut are there, and the file can be written on.
func TestJournalCutAnywhere(t *testing.T) {
	whole := &memory{}
	journal, server, _ := open(t, whole, wide())
	for n := range 4 {
		lend(t, server, journal, n)
	}
	for cut := range len(whole.content) + 1 {
		store := &memory{content: bytes.Clone(whole.content[:cut]), exists: true}
		journal, server, problems := open(t, store, wide())
		lines := bytes.Count(whole.content[:cut], []byte("\n"))
		rest := whole.content[bytes.LastIndexByte(whole.content[:cut], '\n')+1 : cut]
		if len(rest) > 0 && rest[len(rest)-1] == '}' {
			lines++ // only its end is missing
		} else if (len(rest) > 0) != (len(problems) == 1) {
			t.Fatalf("cut at %d: problems %v", cut, problems)
		}
		if got := len(leasesOf(server)); got != lines {
			t.Fatalf("cut at %d: %d leases, want %d", cut, got, lines)
		}
		lend(t, server, journal, 9)
		if _, again, problems := open(t, store, wide()); len(problems) != 0 || len(leasesOf(again)) != lines+1 {
			t.Fatalf("cut at %d, written on: problems %v, leases %v", cut, problems, leasesOf(again))
		}
	}
}

func TestJournalProblems(t *testing.T) {
	good := func(n int) string {
		return fmt.Sprintf(`{"address":"10.0.0.%d","client":"0102000000000%d","hardware":"02:00:00:00:00:0%d","expires":1700003600}`, n, n, n) + "\n"
	}
	store := &memory{exists: true, content: []byte(good(2) +
		"\x00\x00\x00\x00\n" +
		strings.Repeat("x", 3*maxLine) + "\n" +
		strings.Replace(good(3), "10.0.0.3", "192.0.2.3", 1) +
		strings.Replace(good(3), "10.0.0.3", "fd00::3", 1) +
		strings.Replace(good(3), "10.0.0.3", "10.0.0.1", 1) +
		strings.Replace(good(3), "02:00", "02", 1) +
		strings.Replace(good(3), "01020000000003", "0g", 1) +
		strings.Replace(good(3), "01020000000003", "01", 1) +
		strings.Replace(good(3), `"expires"`, `"hostName":"a/b","expires"`, 1) +
		strings.Replace(good(3), "1700003600", `"soon"`, 1) +
		strings.Replace(good(3), `"expires"`, `"hostName":"web","later":1,"expires"`, 1) +
		good(4))}
	_, server, problems := open(t, store, wide())
	want := []string{
		"ve-web.leases:2: skipped: not a lease", "ve-web.leases:3: skipped: not a lease",
		"ve-web.leases:4: skipped: 192.0.2.3 is not in the pool", "ve-web.leases:7: skipped: hardware address",
		"ve-web.leases:8: skipped: client identifier", "ve-web.leases:9: skipped: client identifier of 1 bytes",
		`ve-web.leases:10: skipped: "a/b" is not a host name`, "ve-web.leases:11: skipped: not a lease",
		"ve-web.leases: skipped 2 more leases that are not in the pool",
	}
	if len(problems) != len(want) {
		t.Fatalf("problems %v", problems)
	}
	for i, problem := range problems {
		if !strings.HasPrefix(problem.Error(), want[i]) {
			t.Errorf("problem %q, want %q", problem, want[i])
		}
	}
	if leases := leasesOf(server); len(leases) != 3 || leases[1].HostName != "web" {
		t.Errorf("leases %v", leases)
	}
	checkTable(t, server.leases)

	store.content = bytes.Repeat([]byte("?\n"), 100)
	if _, _, problems := open(t, store, wide()); len(problems) != maxProblems+1 || problems[maxProblems].Error() != "ve-web.leases: skipped 80 more lines" {
		t.Errorf("problems %v", problems)
	}
}

// The latest line wins, for the address and for the client.
func TestJournalLatestLineWins(t *testing.T) {
	line := func(address string, client, expires int) string {
		return fmt.Sprintf(`{"address":"%s","client":"01%02x","hardware":"02:00:00:00:00:01","expires":%d}`, address, client, expires) + "\n"
	}
	store := &memory{exists: true, content: []byte(
		line("10.0.0.2", 1, 1700003600) + line("10.0.0.3", 1, 1700003600) + line("10.0.0.4", 2, 1700003600) + line("10.0.0.4", 3, 1600000000) + line("10.0.0.6", 2, 1600000000))}
	_, server, problems := open(t, store, wide())
	leases := leasesOf(server)
	if len(problems) != 0 || len(leases) != 3 || leases[0].Address.String() != "10.0.0.3" || leases[1].Client != "\x01\x03" {
		t.Errorf("leases %v, problems %v", leases, problems)
	}
	if read := ReadLeases(bytes.NewReader(store.content)); !reflect.DeepEqual(read, leases) {
		t.Errorf("ReadLeases: %v, want %v", read, leases)
	}
	if server.leases.leases != 1 {
		t.Errorf("%d leases last, want 1", server.leases.leases)
	}
	checkTable(t, server.leases)
}

// A lease that ends too late was written while the clock was wrong.
func TestJournalClock(t *testing.T) {
	store := &memory{exists: true, content: []byte(`{"address":"10.0.0.2","client":"0102","hardware":"02:00:00:00:00:01","expires":99999999999}` + "\n")}
	_, server, _ := open(t, store, wide())
	if got := leasesOf(server)[0].Expires; !got.Equal(start().Add(MaxLeaseTime)) {
		t.Errorf("lasts until %v", got)
	}
}

// A disk that was full for a while costs no lease once it is not.
func TestJournalCatchesUp(t *testing.T) {
	store := &memory{}
	journal, server, _ := open(t, store, wide())
	lend(t, server, journal, 1)
	store.fail = errors.New("no space left on device")
	for n := 2; n < 4; n++ {
		obtain(t, server, start(), mac(n))
		if err := journal.Commit(leasesOf(server)); !errors.Is(err, store.fail) {
			t.Errorf("error %v", err)
		}
	}
	if _, again, _ := open(t, store, wide()); len(leasesOf(again)) == 0 {
		t.Error("the failure cost leases that were written before")
	}
	store.fail = nil
	lend(t, server, journal, 4)
	if _, again, problems := open(t, store, wide()); len(problems) != 0 || !reflect.DeepEqual(leasesOf(again), leasesOf(server)) {
		t.Errorf("leases %v, want %v; problems %v", leasesOf(again), leasesOf(server), problems)
	}
}

func TestJournalIsCompacted(t *testing.T) {
	store := &memory{}
	journal, server, _ := open(t, store, wide())
	longest := 0
	for range 3 * compactLines {
		lend(t, server, journal, 1)
		longest = max(longest, bytes.Count(store.content, []byte("\n")))
	}
	if longest < compactLines/2 || longest > 2*compactLines {
		t.Errorf("up to %d lines", longest)
	}
	if _, again, _ := open(t, store, wide()); !reflect.DeepEqual(leasesOf(again), leasesOf(server)) {
		t.Errorf("leases %v, want %v", leasesOf(again), leasesOf(server))
	}
}

func TestFileReplaceFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	store := File(path)
	if err := store.Append([]byte("old\n")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := store.Replace(func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "old\n" {
		t.Errorf("content %q", content)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file: %v", err)
	}
	if err := store.Replace(func(w io.Writer) error { _, err := io.WriteString(w, "new\n"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := store.Append([]byte("more\n")); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != "new\nmore\n" {
		t.Errorf("content %q", content)
	}
}

func FuzzParseLease(f *testing.F) {
	f.Add([]byte(`{"address":"10.0.0.2","client":"01020000000001","hardware":"02:00:00:00:00:01","hostName":"web","expires":1700003600}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		server := newServer(t, wide())
		lease, err := parseLease(line)
		if err != nil || server.Restore(lease, time.Unix(0, 0)) != nil {
			return
		}
		written := appendLease(nil, lease)
		if again, err := parseLease(written); err != nil || !reflect.DeepEqual(again, lease) {
			t.Errorf("%q: %v, written %q, read %v, %v", line, lease, written, again, err)
		}
	})
}
