package settings

// Effective returns the lines that [Combine] makes the settings of, command line and file (nil: none) together, in the
// order in which they apply; of a key with one value the last counts. Key is "Section.Key".
func Effective(cmd CommandLine, file *File) []Assignment {
	if file == nil || cmd.Settings == SettingsNo {
		file = &File{}
	}
	list := effective(cmd, file)
	lines := make([]Assignment, len(list))
	for i, a := range list {
		lines[i] = Assignment{Origin: a.value.origin, Key: a.key.String(), Value: a.value.text}
	}
	return lines
}
