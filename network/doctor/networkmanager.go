package doctor

// NetworkManager is what there is of it.
type NetworkManager struct {
	Link    string // that it manages; empty: it does not run, or leaves the container's link alone
	File    string // that has it leave links of containers alone; empty: there is none
	Shipped bool   // the file is that of this program
}

// managed is the hop of a link that NetworkManager manages.
func (n NetworkManager) managed() Hop {
	const reload = " && nmcli general reload conf && nmcli device set "
	leave := n.Link + " managed no"
	switch {
	case n.File == "":
		return fail(`printf '[device-nspawnkit]\nmatch-device=interface-name:ve-*,interface-name:vb-*,interface-name:vz-*\nmanaged=0\n' `+
			">/etc/NetworkManager/conf.d/nspawnkit.conf"+reload+leave,
			"NetworkManager manages %s: the file that has it leave links of containers alone, /usr/lib/NetworkManager/conf.d/nspawnkit.conf, is missing", n.Link)
	case !n.Shipped:
		return fail("mv "+n.File+" "+n.File+".off"+reload+leave, "NetworkManager manages %s: %s hides the file that has it leave links of containers alone", n.Link, n.File)
	}
	return fail("nmcli device set "+leave+"; NetworkManager --print-config   # says which file has managed=1",
		"NetworkManager manages %s: somebody has told it to, or a file that it reads after %s", n.Link, n.File)
}
