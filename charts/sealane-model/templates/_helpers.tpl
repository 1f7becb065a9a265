{{- define "model.name" -}}
{{- .Values.name | default .Release.Name -}}
{{- end -}}

{{- define "model.selector" -}}
app.kubernetes.io/name: {{ include "model.name" . }}
app.kubernetes.io/managed-by: sealane
{{- end -}}

{{- define "model.labels" -}}
app.kubernetes.io/name: {{ include "model.name" . }}
app.kubernetes.io/instance: {{ include "model.name" . }}
app.kubernetes.io/managed-by: sealane
app.kubernetes.io/part-of: sealane
{{- end -}}

{{- define "model.annotations" -}}
sealane.dev/model: {{ required "Set model to an exact tag, for example qwen2.5-coder:7b" .Values.model | quote }}
sealane.dev/engine: {{ .Values.engine | quote }}
sealane.dev/share: {{ .Values.share.text | quote }}
{{- end -}}

{{- define "model.onGpu" -}}
{{- if or .Values.share.devices .Values.share.fraction .Values.share.memoryMiB -}}yes{{- end -}}
{{- end -}}

{{- define "model.claimSpec" -}}
accessModes:
- ReadWriteOnce
resources:
  requests:
    storage: {{ .Values.storage.size | quote }}
storageClassName: {{ .Values.storage.className | quote }}
{{- end -}}

{{- define "model.commonEnv" -}}
- name: SEALANE_MODEL
  value: {{ .Values.model | quote }}
- name: OLLAMA_HOST
  value: 0.0.0.0:11434
- name: OLLAMA_MODELS
  value: /models
- name: OLLAMA_NOPRUNE
  value: "1"
- name: OLLAMA_NO_CLOUD
  value: "1"
- name: HOME
  value: /models
{{- end -}}

{{- define "model.locked" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
  - ALL
{{- end -}}

{{- define "model.mounts" -}}
- name: models
  mountPath: /models
{{- if .Values.registry.keySecret }}
- name: registry-key
  mountPath: /models/.ollama/id_ed25519
  subPath: id_ed25519
  readOnly: true
{{- end }}
{{- end -}}
