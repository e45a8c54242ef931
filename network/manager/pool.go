package manager

import (
	"net/netip"

	"nspawnkit/network"
)

// Pool lists the addresses that the DHCP server of a link with its present addresses gives to any client by a .network file, and says how
// many clients may have one at a time. Without such a server there are none.
func Pool(l network.Link, file *network.File, host network.Host) (list []netip.Addr, clients int) {
	c := &file.Config
	address, found := c.Server.Address(l.Addresses)
	if !c.DHCPServer || !found || c.Server.RelayTarget.IsValid() {
		return nil, 0
	}
	config, _ := serverConfig(l, address, &c.Server, host) // the daemon reports what does not fit
	list, err := config.Pool()
	if err != nil {
		return nil, 0
	}
	if config.MaxLeases > 0 {
		return list, min(config.MaxLeases, len(list))
	}
	return list, len(list)
}
