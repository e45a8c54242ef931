package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// outcome is what came of measuring a server on a subnet.
type outcome struct {
	prefix  int
	figures loadFigures
	err     error
}

// summary are the medians of the rounds of a server on a subnet.
func summary(outcomes []outcome, prefix int) (f loadFigures, err error) {
	var all []loadFigures
	for _, o := range outcomes {
		switch {
		case o.prefix != prefix:
		case o.err != nil:
			err = o.err
		default:
			all = append(all, o.figures)
		}
	}
	if len(all) == 0 {
		return f, err
	}
	slices.SortFunc(all, func(a, b loadFigures) int { return int(a.Rate - b.Rate) })
	f = all[len(all)/2]
	for _, figure := range []func(*loadFigures) *float64{
		func(f *loadFigures) *float64 { return &f.Offer }, func(f *loadFigures) *float64 { return &f.Ack },
	} {
		var values []float64
		for i := range all {
			values = append(values, *figure(&all[i]))
		}
		slices.Sort(values)
		*figure(&f) = values[len(values)/2]
	}
	return f, nil
}

// printServers prints a table for each subnet. What could not be measured has its reason in place of figures.
func printServers(w io.Writer, results map[string][]outcome) {
	for _, prefix := range []int{few, many} {
		fmt.Fprintf(w, "%-24s%12s%8s%10s%22s%22s%16s\n", fmt.Sprintf("DHCP on a /%d", prefix), "exchanges/s", "", "leases", "DISCOVER-OFFER ms",
			"REQUEST-ACK ms", "PSS MB")
		reference, referenceErr := summary(results[serverNames()[0]], prefix)
		for _, name := range serverNames() {
			f, err := summary(results[name], prefix)
			if err != nil {
				fmt.Fprintf(w, "%-24snot measured: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
				continue
			}
			ratio := func(ours, theirs float64) string {
				if name == serverNames()[0] || referenceErr != nil || theirs == 0 {
					return ""
				}
				return fmt.Sprintf("%.2f", ours/theirs)
			}
			fmt.Fprintf(w, "%-24s%12.0f%8s%10d%14.2f%8s%14.2f%8s%9.1f%7s\n", strings.TrimSpace(name+" "+f.Version), f.Rate, ratio(reference.Rate, f.Rate),
				f.Leases, f.Offer, ratio(reference.Offer, f.Offer), f.Ack, ratio(reference.Ack, f.Ack),
				float64(f.PSS)/1024, ratio(float64(reference.PSS), float64(f.PSS)))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Exchanges of four packets at less than 1 %% losses, leases kept on disk; times are medians at up to %d exchanges a second with these\n"+
		"leases; the number behind is how many times as much networkd-lite has.\n\n", latencyRate)
}

// printLinks prints what networkd-lite takes for links, and for each link beyond those of the first line.
func printLinks(w io.Writer, rows []linkFigures) {
	fmt.Fprintf(w, "%-16s%10s%12s%10s%12s%10s%12s%14s\n", "networkd-lite", "ready s", "ms/link", "served s", "ms/link", "PSS MB", "KiB/link", "idle, ms/10 s")
	for i, f := range rows {
		each := func(now, before float64) string {
			if n := f.Links - rows[0].Links; i > 0 && n > 0 {
				return fmt.Sprintf("%.2f", (now-before)/float64(n))
			}
			return ""
		}
		fmt.Fprintf(w, "%-16s%10.2f%12s%10.2f%12s%10.1f%12s%14.1f\n", fmt.Sprint(f.Links, " links"), f.Ready, each(1000*f.Ready, 1000*rows[0].Ready),
			f.Served, each(1000*f.Served, 1000*rows[0].Served), float64(f.PSS)/1024, each(float64(f.PSS), float64(rows[0].PSS)), f.Busy)
	}
	fmt.Fprint(w, "With the .network files as shipped: DHCP, DNS, IPv6 and masquerading. Each link has given a lease.\n\n")
}
