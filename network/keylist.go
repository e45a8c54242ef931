package network

import "slices"

// KeyName is the name of a key of .network files or of networkd-lite.conf.
type KeyName struct{ Section, Name string }

// Keys returns the keys of systemd.network(5) that are honoured, for the manual page.
func Keys() []KeyName {
	var names []KeyName
	for i := range conditions {
		names = append(names, KeyName{"Match", conditions[i].name})
	}
	for _, table := range keyTables() {
		for i := range table {
			names = append(names, KeyName{table[i].section, table[i].name})
		}
	}
	return slices.DeleteFunc(names, isRefused)
}

func isRefused(name KeyName) bool {
	return slices.ContainsFunc(refusedKeys[:], func(k key) bool { return k.section == name.Section && k.name == name.Name })
}

// UnsupportedKeys returns the keys that are known and cannot be had.
func UnsupportedKeys() []KeyName {
	var names []KeyName
	for i := range refusedKeys {
		names = append(names, KeyName{refusedKeys[i].section, refusedKeys[i].name})
	}
	for i := range unsupportedKeys {
		names = append(names, KeyName{unsupportedKeys[i].section, unsupportedKeys[i].name})
	}
	return names
}

// UnsupportedSections returns the sections that are known and cannot be had.
func UnsupportedSections() []string {
	var names []string
	for i := range unsupportedSections {
		names = append(names, unsupportedSections[i].names...)
	}
	return names
}

// OptionKeys returns the keys of networkd-lite.conf(5).
func OptionKeys() []KeyName {
	var names []KeyName
	for _, o := range options {
		names = append(names, KeyName{o.section, o.name})
	}
	return names
}
