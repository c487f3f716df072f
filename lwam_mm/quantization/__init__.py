"""Post-training quantization with NNCF, for the student's export and for an INT8 teacher."""
