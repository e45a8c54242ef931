package manager

import (
	"reflect"

	"nspawnkit/network"
)

// Devices sets what links are as devices. [nspawnkit/network/kernel.Links] is one.
type Devices interface {
	// Configure sets what differs between want and had.
	Configure(l network.Link, want, had network.LinkSettings) error
}

// configure gives the device of a link its settings, once for each change of the file: what somebody sets by hand later stays.
func (m *Manager) configure(l *link, want network.LinkSettings) error {
	if reflect.DeepEqual(want, l.device) {
		return nil
	}
	if err := m.Devices.Configure(l.Link, want, l.device); err != nil {
		return err
	}
	l.device = want
	return nil
}
