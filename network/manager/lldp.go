package manager

import "nspawnkit/network/lldp"

// LLDP sends frames on links. [nspawnkit/network/lldp.Sender] is one.
type LLDP interface {
	// Set says which frame is sent on each link, by index.
	Set(frames map[int][]byte)
}

// emitLLDP says what is told to neighbours, on the links whose file wants it.
func (m *Manager) emitLLDP() {
	var station *lldp.Station // read for the first link that needs it
	frames := map[int][]byte{}
	for index, l := range m.links {
		if l.file == nil || !l.file.Config.EmitLLDP.Enabled {
			continue
		}
		if station == nil {
			s := m.Station()
			station = &s
		}
		frames[index] = l.file.Config.Frame(l.Link, *station)
	}
	m.LLDP.Set(frames)
}

// listenLLDP says on which links neighbours are listened to.
func (m *Manager) listenLLDP() {
	listeners := map[int]lldp.Listener{}
	for index, l := range m.links {
		if l.file == nil {
			continue
		}
		if listener, ok := l.file.Config.Listener(l.Link); ok {
			listeners[index] = listener
		}
	}
	m.ListenLLDP(listeners)
}
