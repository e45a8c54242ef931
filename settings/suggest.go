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
	best, distance := "", 3
	consider := func(candidate string) {
		if d := editDistance(strings.ToLower(key), strings.ToLower(candidate), distance); d < distance && d < len(candidate)/2 {
			best, distance = candidate, d
		}
	}
	for i := range keys {
		switch {
		case keys[i].Section == section:
			consider(keys[i].Name)
		case keys[i].Name == key:
			return misplaced(key, section, keys[i].Section)
		}
	}
	switch section {
	case "Install":
		for _, name := range []string{"WantedBy", "RequiredBy", "UpheldBy", "Alias"} {
			consider(name)
		}
	default:
		if checkerOf(key) != nil {
			return misplaced(key, section, "Service")
		}
	}
	text := fmt.Sprintf("unknown key %s= in section [%s]", printable(key), printable(section))
	if best != "" {
		return fmt.Sprintf("%s, did you mean %s=?", text, best)
	}
	return text + ", ignored"
}

// unknownSection says that there is no such section, and which one may be meant.
func unknownSection(section string) string {
	text := fmt.Sprintf("unknown section [%s]", printable(section))
	for _, known := range []string{"Exec", "Files", "Network", "Unit", "Service", "Install"} {
		if editDistance(strings.ToLower(section), strings.ToLower(known), 3) < 3 {
			return fmt.Sprintf("%s, did you mean [%s]?", text, known)
		}
	}
	return text + ", ignored"
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

// maybeMisspelled warns about a key of [Service] that differs from one of the resource keys by one character only: systemd
// would ignore the limit. The unit gets the line all the same, systemd may know more keys than this program.
func maybeMisspelled(st Statement) string {
	if st.Section != "Service" || checkerOf(st.Key) != nil {
		return ""
	}
	for i := range resources {
		if editDistance(st.Key, resources[i].name, 2) == 1 {
			return fmt.Sprintf("key %s= in section [Service] is not known here, did you mean %s=?", st.Key, resources[i].name)
		}
	}
	return ""
}
