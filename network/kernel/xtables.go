package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"nspawnkit/network/firewall"
)

// XTables are the packet filters that the host's own iptables(8) manages. Rules in them must come from it: it does not read those
// that others have written in another way.
type XTables struct{}

// Backends is part of [firewall.Tables]. What iptables-nft has are chains of nf_tables with the same names. The kernel does not tell the
// chains of the old tables, but which tables there are.
func (XTables) Backends() ([]firewall.Backend, error) {
	var list []firewall.Backend
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open nf_tables: %w", err)
	}
	for _, family := range []struct {
		version int
		family  nftables.TableFamily
		names   string
	}{{4, nftables.TableFamilyIPv4, "/proc/self/net/ip_tables_names"}, {6, nftables.TableFamilyIPv6, "/proc/self/net/ip6_tables_names"}} {
		chains, err := conn.ListChainsOfTableFamily(family.family)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return nil, fmt.Errorf("list chains: %w", err)
		}
		for _, chain := range chains {
			if chain.Table.Name == "filter" && firewall.Offered(chain.Name) {
				list = append(list, firewall.Backend{Version: family.version})
				break
			}
		}
		names, _ := os.ReadFile(family.names) // missing without the old tables
		if bytes.Contains(append([]byte("\n"), names...), []byte("\nfilter\n")) {
			list = append(list, firewall.Backend{Version: family.version, Legacy: true})
		}
	}
	return list, nil
}

// Save is part of [firewall.Tables].
func (XTables) Save(b firewall.Backend) (string, error) {
	return runXTables(b, "-save", "", "-t", "filter")
}

// Restore is part of [firewall.Tables].
func (XTables) Restore(b firewall.Backend, text string) error {
	_, err := runXTables(b, "-restore", text, "--noflush", "--wait", "5")
	return err
}

// xtablesTimeout is how long a program may wait for others that change rules.
const xtablesTimeout = 20 * time.Second

// runXTables runs iptables-nft-save, say, or iptables-save where the host has that name only.
func runXTables(b firewall.Backend, suffix, input string, arguments ...string) (string, error) {
	plain, _, _ := strings.Cut(b.String(), "-")
	path, err := exec.LookPath(b.String() + suffix)
	if err != nil {
		path, err = exec.LookPath(plain + suffix)
	}
	if err != nil {
		return "", fmt.Errorf("%v%s: %w", b, suffix, firewall.ErrNoProgram)
	}
	return runFilter(path, input, arguments...)
}

// Ruleset returns what nft(8) says of the host's packet filter, but for the elements of sets; nothing where it is not installed, or nobody
// else has a chain that containers' packets come by: a host without a packet filter runs no programs.
func (XTables) Ruleset() ([]byte, error) {
	filtered, err := filteredByOthers()
	if !filtered || err != nil {
		return nil, err
	}
	path, err := exec.LookPath("nft")
	if err != nil {
		return nil, nil
	}
	output, err := runFilter(path, "", "--json", "--terse", "list", "ruleset")
	return []byte(output), err
}

// filteredByOthers reports whether somebody else has an nft chain of the hooks input or forward.
func filteredByOthers() (bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("open nf_tables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return false, fmt.Errorf("list chains: %w", err)
	}
	return slices.ContainsFunc(chains, func(c *nftables.Chain) bool {
		return c.Table.Name != TableName && c.Hooknum != nil && (*c.Hooknum == *nftables.ChainHookInput || *c.Hooknum == *nftables.ChainHookForward)
	}), nil
}

// runFilter runs a program with a text to read and returns what it prints.
func runFilter(path, input string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), xtablesTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, path, arguments...)
	command.Stdin = strings.NewReader(input)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	var output, problems strings.Builder
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %q", path, err, strings.TrimSpace(problems.String()))
	}
	return output.String(), nil
}
