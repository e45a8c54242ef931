package manager

// Declined says that a client may have declined the address that it got (DHCPDECLINE). It may be called from any goroutine; the next look goes
// into it.
func (m *Manager) Declined() { m.declines.Store(true) }

// findDeclines has containers that had a lease, and declined it, wait for one again.
func (m *Manager) findDeclines() {
	if !m.declines.Swap(false) {
		return
	}
	for _, l := range m.links {
		server, client := m.serverOf(l)
		if server == nil {
			continue
		}
		outcome := server.Outcome(client)
		if l.declined = outcome.Declined; l.declined.IsValid() && l.leased && !outcome.Leased {
			l.leased, l.since = false, m.Now()
		}
	}
}
