package generator

import (
	"slices"

	"nspawnkit/settings"
)

// change is what became of one line: one of both may be nil.
type change struct {
	key      string // "Section.Key"
	old, new *settings.Assignment
}

// changes compares two lists of lines key by key, keys in the order of their appearance in the new list. Of a list of lines
// with the same key those that are gone and those that came are told, the first of both as a change and so on.
func changes(before, after []settings.Assignment) []change {
	var keys []string
	for _, list := range [][]settings.Assignment{after, before} {
		for i := range list {
			if !slices.Contains(keys, list[i].Key) {
				keys = append(keys, list[i].Key)
			}
		}
	}
	var found []change
	for _, key := range keys {
		gone, came := difference(of(before, key), of(after, key))
		for i := range max(len(gone), len(came)) {
			c := change{key: key}
			if i < len(gone) {
				c.old = gone[i]
			}
			if i < len(came) {
				c.new = came[i]
			}
			found = append(found, c)
		}
	}
	return found
}

// of returns the lines with the key.
func of(list []settings.Assignment, key string) []*settings.Assignment {
	var lines []*settings.Assignment
	for i := range list {
		if list[i].Key == key {
			lines = append(lines, &list[i])
		}
	}
	return lines
}

// same reports whether the lines with the key say the same.
func same(before, after []settings.Assignment, key string) bool {
	return slices.EqualFunc(of(before, key), of(after, key), func(a, b *settings.Assignment) bool { return a.Value == b.Value })
}

// difference returns what only one of two lists of values has; of lists that differ in their order only, all that moved.
func difference(before, after []*settings.Assignment) (gone, came []*settings.Assignment) {
	gone, came = slices.Clone(before), slices.Clone(after)
	for i := 0; i < len(gone); i++ {
		if j := slices.IndexFunc(came, func(a *settings.Assignment) bool { return a.Value == gone[i].Value }); j >= 0 {
			gone, came = slices.Delete(gone, i, i+1), slices.Delete(came, j, j+1)
			i--
		}
	}
	if len(gone)+len(came) > 0 {
		return gone, came
	}
	for i := range before {
		if before[i].Value != after[i].Value {
			gone, came = append(gone, before[i]), append(came, after[i])
		}
	}
	return gone, came
}
