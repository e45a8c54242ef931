package settings

// Effective returns the lines that [Combine] makes the settings of, command line and file together, in the order in which
// they apply; of a key with one value the last counts. Key is "Section.Key".
func Effective(cmd CommandLine, file *File) []Assignment {
	fileWins := cmd.Settings == SettingsOverride
	weaker, stronger := file.assignments, cmd.assignments
	if fileWins {
		weaker, stronger = stronger, weaker
	}
	var lines []Assignment
	for _, a := range weaker {
		if !replaced(a, stronger, fileWins) {
			lines = append(lines, a.line())
		}
	}
	for _, a := range stronger {
		lines = append(lines, a.line())
	}
	return lines
}

func (a assignment) line() Assignment {
	return Assignment{Origin: a.value.origin, Key: a.key.String(), Value: a.value.text}
}
