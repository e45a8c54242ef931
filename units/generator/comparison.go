package generator

import (
	"fmt"
	"strings"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// comparison is the work of comparing one container: what the files say now, what systemd has loaded, and what the
// container was started with.
type comparison struct {
	name      string
	source    string                // path of its main file, if it has one
	loaded    []settings.Assignment // lines of the unit since the last daemon-reload
	now       []settings.Assignment // lines that the next daemon-reload will load
	overrides map[string]settings.Statement

	inUnit  bool                  // runs, in its unit
	byHand  bool                  // runs, but not in its unit
	started []settings.Assignment // lines of the container at its start
	unit    []settings.Assignment // lines of the unit at its start

	edits []Edit
}

// start takes what the container was started with.
func (c *comparison) start(record *settings.Record, keepUnit bool) {
	c.inUnit, c.byHand = keepUnit, !keepUnit
	for i := range record.Lines {
		c.started = append(c.started, record.Lines[i].Assignment())
	}
	for i := range record.Unit {
		c.unit = append(c.unit, record.Unit[i].Assignment())
	}
}

// unitEdits tells what the next daemon-reload changes, and of a container in its unit what a restart changes.
func (c *comparison) unitEdits() {
	for _, ch := range changes(c.loaded, c.now) {
		effect, why := effectOf(ch.key)
		switch {
		case !c.inUnit && effect != units.Reload:
			effect, why = units.Reload, "systemd goes by it at the next start"
		case effect == units.Restart && !same(c.unit, c.now, ch.key):
			continue // told below, compared with the start
		case effect == units.Restart:
			effect, why = units.Reload, "the running container has it already, but the next start would not"
		}
		c.add(ch, effect, true, why)
	}
	if !c.inUnit {
		return
	}
	for _, ch := range changes(c.unit, c.now) {
		if effect, why := effectOf(ch.key); effect == units.Restart {
			c.add(ch, effect, !same(c.loaded, c.now, ch.key), why)
		}
	}
}

// startEdits tells what nspawn-exec would read otherwise at its next start. Only lines of files are edits: an option comes
// and goes with a line of a file that replaces it.
func (c *comparison) startEdits(next []settings.Assignment) {
	for _, ch := range changes(c.started, next) {
		if ch.old != nil && ch.old.Origin.File != "" || ch.new != nil && ch.new.Origin.File != "" {
			effect, why := effectOf(ch.key)
			c.add(ch, effect, false, why)
		}
	}
}

func effectOf(key string) (units.Effect, string) {
	section, name, _ := strings.Cut(key, ".")
	return units.EffectOf(section, name)
}

// add tells one edit. A line that is gone has no number any more.
func (c *comparison) add(ch change, effect units.Effect, reload bool, why string) {
	e := Edit{Origin: c.file(), Key: ch.key, Effect: effect, Reload: reload, Reason: why}
	if ch.old != nil {
		e.Old = &ch.old.Value
		if file := ch.old.Origin.File; file != "" && !strings.HasPrefix(file, units.GeneratorFolder) {
			e.Origin = file
		}
	}
	if ch.new != nil {
		e.New = &ch.new.Value
		if ch.new.Origin.File != "" {
			e.Origin = ch.new.Origin.String()
		}
	}
	if by, ok := c.overrides[ch.key]; ok && effect == units.Live {
		e.Reason = fmt.Sprintf("%s, but %s sets %s=%s after it", why, by.Origin, by.Key, by.Value)
	}
	c.edits = append(c.edits, e)
}

// file returns the path of the container's main file, or of the one it had.
func (c *comparison) file() string {
	for _, lines := range [][]settings.Assignment{c.loaded, c.unit} {
		if old := of(lines, "Unit.SourcePath"); c.source == "" && len(old) > 0 {
			return strings.ReplaceAll(old[0].Value, "%%", "%")
		}
	}
	return c.source
}

// commands returns what to type.
func (c *comparison) commands() []string {
	var commands []string
	reload, restart, live := false, false, false
	for _, e := range c.edits {
		reload = reload || e.Reload
		restart = restart || e.Effect == units.Restart
		live = live || e.Effect == units.Live && e.Reload
	}
	unit := strings.TrimSuffix(units.ServiceName(c.name), ".service")
	if reload {
		commands = append(commands, Reload)
	}
	switch {
	case restart && !c.byHand:
		commands = append(commands, "systemctl restart "+unit)
	case live:
		// systemd 257, unlike 252 and 262, writes changed limits only once something of the unit is set. This sets nothing.
		commands = append(commands, "systemctl set-property "+unit+" Markers=")
	}
	return commands
}
