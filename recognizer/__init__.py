"""Recognition: utterances in, transcripts out."""
