package settings

import (
	"fmt"
	"strings"
)

// misplaced says that a key stands in the wrong section.
func misplaced(key, section, right string) string {
	return fmt.Sprintf("unknown key %s= in section [%s], it belongs in section [%s], ignored", printable(key), printable(section), right)
}

// unknownKey says that a section has no such key, and which one may be meant: the key in its right section, or one that
// is spelled much like it.
func unknownKey(key, section string) string {
	if home := homeOf(key); home != "" && home != section {
		return misplaced(key, section, home)
	}
	text := fmt.Sprintf("unknown key %s= in section [%s]", printable(key), printable(section))
	if best := similar(key, section, 3); best != "" {
		return fmt.Sprintf("%s, did you mean %s=?", text, best)
	}
	return text + ", ignored; see nspawnkit.nspawn(5)"
}

// similar returns the key of a section that is most like a misspelled one, fewer than limit characters off, or nothing.
func similar(key, section string, limit int) string {
	best := ""
	consider := func(candidate string) {
		if d := editDistance(strings.ToLower(key), strings.ToLower(candidate), limit); d < limit && d < len(candidate)/2 {
			best, limit = candidate, d
		}
	}
	switch section {
	case "Unit":
		for _, name := range unitKeys {
			consider(name)
		}
	case "Service":
		for i := range resources {
			consider(resources[i].name)
		}
		for _, name := range serviceKeys {
			consider(name)
		}
	case "Install":
		for _, name := range installKeys[:4] {
			consider(name)
		}
	}
	for i := range keys {
		if keys[i].Section == section {
			consider(keys[i].Name)
		}
	}
	return best
}

// unknownSection says that there is no such section, and which one may be meant.
func unknownSection(section string) string {
	text := fmt.Sprintf("unknown section [%s]", printable(section))
	for _, known := range []string{"Exec", "Files", "Network", "Unit", "Service", "Install"} {
		if editDistance(strings.ToLower(section), strings.ToLower(known), 3) < 3 {
			return fmt.Sprintf("%s, did you mean [%s]?", text, known)
		}
	}
	return text + ", ignored; see nspawnkit.nspawn(5)"
}

// editDistance is the number of characters to insert, remove, replace or swap with the next to make b of a; limit if it
// is not smaller than that.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

// doubtful warns about a line of [Unit] or [Service] that the unit gets all the same: a key that systemd did not have when
// this was written but that is very much like one it had, or a limit that is not the container's.
func doubtful(st Statement) string {
	switch {
	case st.Section == "Service" && strings.HasPrefix(st.Key, "Limit") && lookup("Exec", st.Key) != nil:
		return fmt.Sprintf("%s= in section [Service] limits nspawn-exec, the container's limit is %[1]s= in section [Exec]", st.Key)
	case st.Section == "Service" && isServiceKey(st.Key), st.Section == "Unit" && isUnitKey(st.Key), st.Section == "Install":
		return ""
	}
	if best := similar(st.Key, st.Section, 3); best != "" {
		return fmt.Sprintf("key %s= in section [%s] is not known here, did you mean %s=?", st.Key, st.Section, best)
	}
	return ""
}
